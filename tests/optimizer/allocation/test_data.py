"""The border: what is cleaned, what is a fault, what is only a note."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.allocation import AllocationData, AllocationOptions, CarrierCap, Reserve, Weights, allocate
from optimizer.allocation.frames import NODES, OPEN_LINES, clean, is_zone, parse_days, parse_time
from optimizer.errors import InvalidDataError


def test_every_fault_is_listed_at_once(world):
    data = world.make(
        [
            world.line("1", open_quantity="1.5", unit_price=-1, fine_rate=2),
            world.line("1", channel=None, open_quantity=0, priority_rank=-1),
        ],
        [world.stock(on_hand="2.25"), world.stock(on_hand=None)],
        receipts=[world.receipt("0.5", 1)],
        reservations=[world.reservation("dtc", -1)],
        nodes=[world.node(zone="Mars/Olympus", cut_off_time="soon", operating_days="8")],
        lanes=[world.lane(transit_days=-1, cost_per_unit=-1)],
    )
    faults = data.validate()
    for part in (
        "fct_open_lines.open_quantity is no whole number in 1 rows",
        "fct_open_lines.channel is null in 1 rows",
        "fct_open_lines.unit_price is negative in 1 rows",
        "fct_open_lines.priority_rank is negative in 1 rows",
        "fct_open_lines.fine_rate is above 1; expected a fraction",
        "fct_open_lines repeats its key (order_id, line_id) in 1 rows",
        "fct_open_lines.open_quantity is 0 in 1 rows; closed lines do not belong here",
        "fct_inventory.on_hand is no whole number in 1 rows",
        "fct_inventory.on_hand is null in 1 rows",
        "fct_inventory repeats its key (sku, node_id) in 1 rows",
        "fct_inbound_receipts.quantity is no whole number in 1 rows",
        "fct_channel_reservations.quantity is negative in 1 rows",
        "dim_nodes n1: zone 'Mars/Olympus' is unknown; expected an IANA name such as America/New_York",
        "dim_nodes n1: cut_off_time 'soon'; expected HH:MM",
        "dim_nodes n1: operating_days '8'; expected ISO weekdays such as 1,2,3,4,5",
        "dim_lanes.transit_days is negative in 1 rows",
        "dim_lanes.cost_per_unit is negative in 1 rows",
    ):
        assert part in faults
    with pytest.raises(InvalidDataError) as caught:
        allocate(data)
    assert caught.value.faults == faults


def test_an_optional_whole_number_must_be_whole_too(world):
    data = world.make([world.line()], nodes=[world.node(daily_capacity_units="2.5")])
    assert data.validate() == ("dim_nodes.daily_capacity_units is no whole number in 1 rows",)


def test_an_instant_must_be_one(world):
    frames = world.make([world.line()]).sources
    data = AllocationData.from_frames(
        frames[0].with_columns(pl.lit("tomorrow").alias("need_at")),
        frames[1],
        inbound_receipts=frames[2],
        channel_reservations=frames[3],
        nodes=frames[4],
        lanes=frames[5],
        options=AllocationOptions(as_of=world.AS_OF),
    )
    assert data.validate() == ("fct_open_lines.need_at is no instant in 1 rows",)


def test_missing_columns_are_refused_together(world):
    frames = world.make([world.line()]).sources
    with pytest.raises(InvalidDataError) as caught:
        AllocationData.from_frames(
            frames[0].drop("sku", "channel"),
            frames[1],
            inbound_receipts=frames[2],
            channel_reservations=frames[3],
            nodes=frames[4].drop("node_id"),
            lanes=frames[5],
            options=AllocationOptions(as_of=world.AS_OF),
        )
    assert caught.value.faults == (
        "fct_open_lines has no column sku",
        "fct_open_lines has no column channel",
        "dim_nodes has no column node_id",
    )


def test_what_the_feeds_do_not_give_is_switched_off_and_said(world):
    frames = world.make([world.line(open_quantity=2)]).sources
    data = AllocationData.from_frames(
        frames[0].select("order_id", "line_id", "sku", "channel", "open_quantity"),
        frames[1].select("sku", "node_id", "on_hand"),
        inbound_receipts=frames[2].select("sku", "node_id", "quantity"),
        channel_reservations=frames[3],
        nodes=frames[4].select("node_id"),
        lanes=frames[5].clear(),
        options=AllocationOptions(as_of=world.AS_OF),
    )
    assert not data.validate()
    result = allocate(data)
    assert result.allocations.select("quantity", "carrier", "cost_cents").row(0) == (2, "", 0)
    assert result.notes == (
        "1 lines count as 0 revenue: they have no unit price",
        "1 lines use an assumed margin of 40 %: they have no unit cost",
        "1 lines are never late: they have neither a needed date nor a ship-by date",
        "node capacity is switched off for n1: the feed gives none",
        "lanes are switched off: the feed gives none, so transit takes 0 days and freight costs nothing",
        "carrier pick-up limits are switched off: none were given",
        "holidays, carrier calendars, lots with expiry, pack multiples, dock appointments, delivery windows that open, "
        "channel caps, buffers and release times, kits and whole lines, minimum fill, single sources, capacity use by "
        "line, handling classes, routing guides, export checks, credit limits, allocation classes, planner decisions, "
        "stability against a last plan, service floors and fair share, fines per order, fines that start at a "
        "threshold and node limits per order are switched off: the feeds give none",
    )


def test_a_line_without_a_cost_gets_the_assumed_margin(world):
    data = world.make([world.line(unit_cost=None)])
    assert data.lines["cost_cents"].to_list() == [1200]


def test_a_line_of_unknown_zone_takes_the_slowest_and_dearest_lane(world):
    lanes = [world.lane(transit_days=1, cost_per_unit=1), world.lane(lane_zone="west", transit_days=5, cost_per_unit=3)]
    data = world.make([world.line(lane_zone=None)], lanes=lanes)
    row = allocate(data).allocations.row(0, named=True)
    assert ((row["arrival_date"] - row["ship_date"]).days, row["cost_cents"]) == (5, 300)
    assert any("slowest and dearest" in note for note in data.notes)


def test_rows_of_unknown_nodes_are_ignored_and_said(world):
    data = world.make(
        [world.line()],
        [world.stock(), world.stock(node_id="gone")],
        receipts=[world.receipt(1, 1, node_id="gone")],
        reservations=[world.reservation("dtc", 1, node_id="gone")],
        lanes=[world.lane(), world.lane("gone")],
    )
    assert [note for note in data.notes if "ignored" in note] == [
        "1 rows of fct_inventory are ignored: their node is not in dim_nodes",
        "1 rows of fct_inbound_receipts are ignored: their node is not in dim_nodes",
        "1 rows of fct_channel_reservations are ignored: their node is not in dim_nodes",
        "1 rows of dim_lanes are ignored: their node is not in dim_nodes",
    ]
    assert allocate(data).allocations.height == 1


def test_negative_stock_is_none_and_said(world):
    data = world.make([world.line()], [world.stock(on_hand=-3)])
    assert not data.validate()
    assert "1 negative stock levels count as 0" in data.notes
    assert allocate(data).allocations.is_empty()


def test_instants_with_a_zone_are_read_in_utc(world):
    lines = world.frame(OPEN_LINES, [world.line(need_at=world.AS_OF)])
    zoned = lines.with_columns(pl.col("need_at").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo"))
    assert clean(OPEN_LINES, zoned)["need_at"].to_list() == [world.AS_OF]


def test_the_decision_may_be_stated_in_any_zone(world):
    zoned = world.AS_OF.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=-5)))
    here, there = (world.make([world.line()], as_of=moment) for moment in (world.AS_OF, zoned))
    assert here.options.moment == there.options.moment == world.AS_OF.replace(tzinfo=UTC)
    assert allocate(here).allocations.equals(allocate(there).allocations)


def test_a_decision_after_the_cut_off_ships_tomorrow(world):
    data = world.make([world.line()], as_of=world.AS_OF + timedelta(hours=15))
    assert allocate(data).allocations["ship_date"].to_list() == [date(2026, 11, 17)]


def test_every_node_keeps_its_own_date(world):
    # Midnight Monday in New York is still Sunday in Reno, which works on Sundays until 23:00.
    nodes = [world.node("n1", zone="America/Los_Angeles", operating_days="7", cut_off_time="23:00")]
    row = allocate(world.make([world.line()], nodes=nodes)).allocations.row(0, named=True)
    assert row["ship_date"] == date(2026, 11, 15)


def test_money_is_cut_to_cents_half_up(world):
    lines = [
        world.line("1", unit_price="1.005", unit_cost="0.9949"),
        world.line("2", unit_price="2.675", unit_cost="1"),
    ]
    data = world.make(lines)
    assert data.lines.select("price_cents", "cost_cents").rows() == [(101, 99), (268, 100)]


def test_fees_follow_the_type_of_the_channel(world):
    lines = [world.line(kind, channel_type=kind) for kind in ("dtc", "marketplace", "other", "wholesale")]
    data = world.make(lines, weights=Weights(pick_pack_cents=0))
    assert dict(data.lines.select("order_id", "margin_cents").iter_rows()) == {
        "dtc": 942,
        "marketplace": 700,
        "other": 942,
        "wholesale": 1000,
    }


@pytest.mark.parametrize(
    ("given_options", "part"),
    [
        ({"horizon_days": 0}, "option horizon_days is 0; expected 1 to 366"),
        ({"receipt_haircut_bp": 10_001}, "option receipt_haircut_bp is 10001; expected 0 to 10000"),
        ({"weights": Weights(split_cents=-1)}, "weight split_cents is -1; expected a whole number of cents"),
        ({"weights": Weights(split_cents=1.5)}, "weight split_cents is 1.5; expected a whole number of cents"),
        ({"carrier_caps": (CarrierCap(carrier="x", node_id="n", units=-1),)}, "carrier cap of x at n is negative"),
    ],
)
def test_options_that_mean_nothing_are_refused(world, given_options, part):
    with pytest.raises(InvalidDataError, match=r"faults in the allocation data") as caught:
        AllocationOptions(as_of=world.AS_OF, **given_options)
    assert caught.value.faults[0].startswith(part)


def test_a_scenario_file_can_set_every_option(world):
    document = {
        "reservations": "decide",
        "horizon_days": 3,
        "weights": {"split_cents": 5},
        "carrier_caps": [{"carrier": "swift", "node_id": "n1", "units": 2}],
    }
    options = AllocationOptions.from_document(document, as_of=world.AS_OF)
    assert (options.reservations, options.horizon_days, options.weights.split_cents) == (Reserve.DECIDE, 3, 5)
    assert options.carrier_caps == (CarrierCap(carrier="swift", node_id="n1", units=2),)


@pytest.mark.parametrize(
    "document",
    [{"colour": 1}, {"reservations": "maybe"}, {"weights": {"love": 1}}, {"weights": 3}, {"horizon_days": "long"}],
)
def test_a_scenario_file_with_unknown_words_is_refused(world, document):
    with pytest.raises(InvalidDataError, match="allocation options"):
        AllocationOptions.from_document(document, as_of=world.AS_OF)


def test_the_fingerprint_follows_data_and_options(world):
    one, same = world.make([world.line()]), world.make([world.line()])
    assert one.fingerprint() == same.fingerprint()
    assert one.fingerprint() != world.make([world.line(open_quantity=2)]).fingerprint()
    assert one.fingerprint() != world.make([world.line()], seed=2).fingerprint()


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("1,2,3", {1, 2, 3}),
        ("6;7", {6, 7}),
        ("", set(range(1, 8))),
        (None, set(range(1, 8))),
        ("0", None),
        (",", None),
        ("12", None),
    ],
)
def test_operating_days_are_iso_weekdays(text, days):
    assert parse_days(text) == (None if days is None else frozenset(days))


def test_a_cut_off_is_a_local_time_or_the_end_of_the_day():
    assert str(parse_time("9:30")) == "09:30:00"
    assert str(parse_time(" ")) == "23:59:00"
    assert parse_time("25:00") is None


def test_zones_are_iana_names():
    assert is_zone(None)
    assert is_zone("Europe/Berlin")
    assert not is_zone("../etc/passwd")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.decimals(min_value=-5, max_value=50, places=3), min_size=1, max_size=5))
def test_quantities_are_whole_or_a_fault(quantities):
    rows = pl.DataFrame(
        {
            "order_id": [str(number) for number in range(len(quantities))],
            "line_id": "1",
            "sku": "A",
            "channel": "dtc",
            "open_quantity": pl.Series(quantities, dtype=pl.Decimal(18, 3)),
        }
    )
    nodes = pl.DataFrame({"node_id": ["n1"]})
    empty = dict.fromkeys(("sku", "node_id", "channel", "lane_zone", "on_hand", "quantity"), pl.String)
    none = pl.DataFrame(schema=empty)
    data = AllocationData.from_frames(
        rows,
        none,
        inbound_receipts=none,
        channel_reservations=none,
        nodes=nodes,
        lanes=none,
        options=AllocationOptions(as_of=datetime(2026, 11, 16, tzinfo=UTC)),
    )
    clean_ones = all(quantity == int(quantity) and quantity > 0 for quantity in quantities)
    assert clean_ones == (not data.validate())
    kept = data.lines["quantity"].to_list()
    assert kept == [int(quantity) if quantity == int(quantity) else None for quantity in map(Decimal, quantities)]


def test_nodes_without_a_zone_keep_utc(world):
    data = world.make([world.line()], nodes=[world.node(zone=None)])
    assert not data.validate()
    assert clean(NODES, data.sources[4])["zone"].to_list() == [None]
    assert allocate(data).allocations.height == 1


def test_a_company_without_nodes_ships_nothing_and_hears_why(world):
    data = world.make([world.line()], [], nodes=[], lanes=[])
    result = allocate(data)
    assert result.allocations.is_empty()
    assert result.shorts["reason"].to_list() == ["NO_LANE"]
