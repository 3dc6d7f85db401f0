"""Plans: what the optimizer proposed, on which data, against which baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from storage.errors import LedgerError
from storage.ledger.records import Plan
from storage.ledger.room import LedgerRoom
from storage.ledger.tables import PlanRow


class PlanPart(LedgerRoom):
    """Verbs on plans."""

    def record_plan(
        self,
        *,
        scenario: str,
        as_of: datetime,
        publication: str,
        fingerprint: str,
        status: str,
        objective: Decimal | None,
        baseline_objective: Decimal | None,
        kpis: Mapping[str, Any],
        lines: Sequence[Mapping[str, Any]],
        created_by: str,
        now: datetime,
    ) -> Plan:
        """Keep a solved scenario with its lines (JSON objects) and return it with its number."""
        row = PlanRow(
            scenario=scenario,
            as_of=as_of,
            publication=publication,
            fingerprint=fingerprint,
            status=status,
            objective=objective,
            baseline_objective=baseline_objective,
            kpis=dict(kpis),
            lines=[dict(line) for line in lines],
            created_by=created_by,
            created_at=now,
        )
        with self._write() as session:
            session.add(row)
            session.flush()
            session.refresh(row)
            return _record(row)

    def list_plans(self, *, scenario: str | None = None, limit: int = 50) -> list[Plan]:
        """Return plans, newest first."""
        query = select(PlanRow).order_by(PlanRow.plan_id.desc()).limit(limit)
        if scenario is not None:
            query = query.where(PlanRow.scenario == scenario)
        with self._read() as session:
            return [_record(row) for row in session.scalars(query)]

    def get_plan(self, plan_id: int) -> Plan:
        """Return one plan.

        Raises:
            LedgerError: There is none of that number.
        """
        with self._read() as session:
            row = session.get(PlanRow, plan_id)
            if row is None:
                raise _unknown(plan_id)
            return _record(row)

    def plan_lines(self, plan_id: int) -> list[dict[str, Any]]:
        """Return the lines of one plan as they were recorded.

        Raises:
            LedgerError: There is none of that number.
        """
        with self._read() as session:
            lines: list[dict[str, Any]] | None = session.scalar(select(PlanRow.lines).where(PlanRow.plan_id == plan_id))
        if lines is None:
            raise _unknown(plan_id)
        return lines


def _unknown(plan_id: int) -> LedgerError:
    return LedgerError(f"no plan {plan_id} in the ledger. `otif allocate` records one.")


def _record(row: PlanRow) -> Plan:
    return Plan(
        plan_id=row.plan_id,
        scenario=row.scenario,
        as_of=row.as_of,
        publication=row.publication,
        fingerprint=row.fingerprint,
        status=row.status,
        objective=row.objective,
        baseline_objective=row.baseline_objective,
        kpis=row.kpis,
        created_by=row.created_by,
        created_at=row.created_at,
    )
