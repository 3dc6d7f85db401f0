"""Why a line ships apart from its order, and what every reason is called."""

from __future__ import annotations

import pytest

from optimizer.allocation import Weights, allocate
from optimizer.allocation.explain import REASONS, WORTH_A_PARCEL, meaning

TWO_NODES = ("n1", "n2")


@pytest.fixture
def two_nodes(world):
    """An order of four A, all at n1, and two B, of which each node has what a test says; n1 alone serves the west."""

    def build(stock, *, freight=(1, 1), split=0, others=(), **node):
        lines = [
            world.line("1", "1", open_quantity=4),
            world.line("1", "2", sku="B", open_quantity=2),
            *others,
        ]
        units = [world.stock("A", "n1", 4), *(world.stock("B", name, count) for name, count in stock.items())]
        return world.make(
            lines,
            units,
            nodes=[world.node("n1", **node), world.node("n2")],
            lanes=[
                *(world.lane(name, cost_per_unit=cost) for name, cost in zip(TWO_NODES, freight, strict=True)),
                world.lane("n1", lane_zone="west"),
            ],
            weights=Weights(pick_pack_cents=0, payment_fee_bp=0, marketplace_fee_bp=0, split_cents=split),
        )

    return build


def told(result):
    return result.splits.select("line_id", "main_node", "split_quantity", "reason", "competing_lines").rows()


def test_an_order_from_one_node_is_not_split(two_nodes):
    assert allocate(two_nodes({"n1": 2, "n2": 2})).splits.is_empty()


def test_a_line_without_stock_beside_its_order_is_split_for_want_of_it(two_nodes):
    assert told(allocate(two_nodes({"n2": 2}))) == [("2", "n1", 2, "NO_STOCK", [])]


def test_the_line_that_took_the_units_beside_its_order_is_named(world, two_nodes):
    rival = world.line("2", "1", sku="B", open_quantity=2, lane_zone="west")
    data = two_nodes({"n1": 2, "n2": 2}, others=[rival])
    assert told(allocate(data)) == [("2", "n1", 2, "LOWER_PRIORITY", ["2/1"])]


def test_a_full_node_sends_the_rest_from_elsewhere(two_nodes):
    data = two_nodes({"n1": 2, "n2": 2}, daily_capacity_units=4, operating_days="1")
    assert told(allocate(data)) == [("2", "n1", 2, "LABOUR_CAP", [])]


def test_a_second_parcel_that_pays_is_called_that(two_nodes):
    data = two_nodes({"n1": 2, "n2": 2}, freight=(5, 1), split=100)
    assert told(allocate(data)) == [("2", "n1", 2, WORTH_A_PARCEL, [])]


@pytest.mark.parametrize("reason", [*REASONS, WORTH_A_PARCEL, "HOLD_FRAUD", "HOLD_EXPORT_DATA"])
def test_every_reason_has_words(reason):
    assert meaning(reason)[0].islower()
    assert "_" not in meaning(reason)
