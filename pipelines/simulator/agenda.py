"""What is due on which day: orders to release and things that were decided to happen later."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.simulator.clock import Zone
from pipelines.simulator.model import Order

Action = Callable[[], None]


class Agenda:
    """A calendar of actions by company-local day."""

    def __init__(self, clock: Zone, last_instant: int) -> None:
        self._clock = clock
        self._end = last_instant
        self._actions: dict[int, list[tuple[int, int, Action]]] = {}
        self._ready: dict[int, list[Order]] = {}
        self._count = 0

    def at(self, instant: int, action: Action) -> None:
        """Plan an action; what lies after the end of the simulation never happens."""
        if instant < self._end:
            self._count += 1
            self._actions.setdefault(self._clock.local_day(instant), []).append((instant, self._count, action))

    def ready(self, order: Order) -> None:
        """Plan the release of an order at its `ready_at`."""
        if order.ready_at < self._end:
            self._ready.setdefault(self._clock.local_day(order.ready_at), []).append(order)

    def run_actions(self, day: int) -> None:
        """Run the actions of a day in the order of their instants, including those they add to the day."""
        while due := self._actions.pop(day, None):
            for _, _, action in sorted(due, key=lambda entry: entry[:2]):
                action()

    def take_ready(self, day: int) -> list[Order]:
        """Remove and return the orders to release on a day, in order."""
        orders = self._ready.pop(day, [])
        orders.sort(key=lambda order: (order.ready_at, order.order_id))
        return orders
