"""Movements of members: their scatter is learned from the history, and they are not taken for each other's."""

from __future__ import annotations

import numpy as np
import pytest

from dashboards.movements import USUAL_VARIANCE, fit, learn_scatter

NODES, CUSTOMERS, WEEKS, VOLUME = 4, 12, 8, 200.0
CUSTOMER = np.tile(np.arange(CUSTOMERS), NODES)
NODE = np.repeat(np.arange(NODES), CUSTOMERS)


def weeks_of(scatter: float, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weeks in which customers, but no nodes, move by so much (arcsine roots) about a rate of one half."""
    moved = np.random.default_rng(seed).normal(0, scatter, (WEEKS, CUSTOMERS))
    rates = np.sin(np.pi / 4 + moved[:, CUSTOMER]) ** 2
    return np.repeat(np.arange(WEEKS), CUSTOMER.size), np.full(rates.size, VOLUME), (rates * VOLUME).ravel()


def learned(scatter: float, *, seed: int = 0):
    week, volume, good = weeks_of(scatter, seed=seed)
    codes = [np.tile(NODE, WEEKS), np.tile(CUSTOMER, WEEKS)]
    return learn_scatter(codes, [NODES, CUSTOMERS], [[], []], week, volume, good, np.full(good.size, 0.5))


def test_the_scatter_of_the_dimension_that_moves_is_learned_and_the_other_one_has_little() -> None:
    found = learned(0.1)
    node, customer = found.variance[1], found.variance[1 + NODES]
    # A week asked about is set against the mean of eight weeks, which scatters too.
    assert customer == pytest.approx(0.1**2 * 9 / 8, rel=0.35)
    assert node < customer / 2
    assert learned(0.02).variance[1 + NODES] < customer / 5


def test_a_fault_in_the_history_hardly_counts_as_scatter() -> None:
    week, volume, good = weeks_of(0.03)
    codes = [np.tile(NODE, WEEKS), np.tile(CUSTOMER, WEEKS)]
    usual = np.full(good.size, 0.5)
    quiet = learn_scatter(codes, [NODES, CUSTOMERS], [[], []], week, volume, good, usual).variance[1 + NODES]
    failed = np.where((week == 3) & (codes[1] == 5), 0.1 * volume, good)
    found = learn_scatter(codes, [NODES, CUSTOMERS], [[], []], week, volume, failed, usual).variance[1 + NODES]
    assert found < 2 * quiet


def test_the_movement_of_customers_is_not_taken_for_that_of_the_node_they_order_from() -> None:
    # The customers of the first node alone fell; two of them order elsewhere too, and fell there.
    customer = np.array([0, 1, 2, 3, 0, 1, 2, 3, 4, 5])
    node = np.array([0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    usual, volume = np.full(customer.size, 0.8), np.full(customer.size, 5_000.0)
    good = np.where(customer < 2, 0.6, 0.8) * volume
    scatter = learned(0.1)
    columns = scatter.columns([node, customer])
    now = fit(columns, volume, good, usual, scatter)
    of_node, _ = now.movements(node, NODES, good)
    of_customer, _ = now.movements(customer, CUSTOMERS, good)
    fell = np.arcsin(np.sqrt(0.6)) - np.arcsin(np.sqrt(0.8))
    assert of_customer[:2] == pytest.approx(fell, abs=0.05)
    assert abs(of_node[0]) < abs(fell) / 3


def test_with_two_weeks_the_usual_scatter_is_assumed_and_what_is_no_place_has_none() -> None:
    codes = [np.array([0, 1, 0, 1])]
    found = learn_scatter(codes, [2], [[1]], np.array([0, 0, 1, 1]), np.full(4, 9.0), np.full(4, 5.0), np.full(4, 0.5))
    assert found.variance.tolist() == pytest.approx([USUAL_VARIANCE, USUAL_VARIANCE, 1e-9])
    assert found.mean == pytest.approx(USUAL_VARIANCE)
