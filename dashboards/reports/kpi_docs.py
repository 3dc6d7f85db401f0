"""Renders the KPI catalogue as docs/kpis.md, so that prose and seeds cannot part (a test compares them)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_INTRODUCTION: Final = """\
# KPI catalogue

Generated from `data/seeds/kpi_catalogue.csv`, `kpi_requirements.csv` and `targets.csv`; write it anew with
`python -m dashboards.reports.kpi_docs > docs/kpis.md`.

Every figure is a sum of numerators over a sum of denominators (`metrics.kpi_values`) or a percentile of stages
(`metrics.kpi_durations`), never a mean of rates. What is left out is counted by reason (`metrics.kpi_exclusions`).
Where a source does not give what a KPI needs, the KPI is *unavailable* with the reason.

## Worst and best case

Some rows are judged although a word is missing. `metrics.kpi_doubts` counts them per KPI, day and dimension, and
`otif kpis` shows the value if all of them had gone badly or well (`worst`, `best`, `doubtful` in JSON and CSV):

- goods that left and of whose arrival (or hand-over, or first scan) nothing is told count as missed: at best they were
  in time (OTIF, on time, in full, fill rates, perfect order, on-time ship, ship-by, carrier on time).
- what was cancelled at an unknown time or by an unknown actor is left out: at worst it was ours, and a miss.
- an order cancelled by nobody in particular is in none of the cancellation rates by actor: it may belong to each.
- fines that the rule book sets on known failures are no deductions before a retailer bills them: until 66 days after
  the shipment (a month and five weeks) at worst they all come (chargeback rate, chargebacks). Those whose rate is not
  public, or whose gate no data tells, are in no case: `unpriced` counts them beside it. Goods that left without
  an invoice, or on one that states no amount, are not in what deductions are compared with: at best they were.
- a deduction for a reason that neither seed violation_map nor violations knows counts as a chargeback: at best it is an
  agreed term or a claim, and none.
- goods on their way back, or refunded, and returns of no order that we know count as no return: at worst they were one,
  of the day they came where nobody knows the sale.
- a shipment whose notice nobody answered is in time as far as we know; notices and answers with a strange number may be
  those that are missing (ASN timeliness and accuracy, acknowledgements).

Worst ≤ value ≤ best where higher is better, the other way round where lower is. Records nobody could read, repeated
events, orphans and order numbers that match nothing are counted by source and day (`marts.data_doubt`) and move no
case: nothing says which KPI they concern. KPIs not named here have no cases.

## Passport

`otif kpis --passport otif --where channel=dtc --week 2026-W46` (and a click on a tile) takes one number apart:
definition and versions, rows in the numerator, rows in the denominator only, rows left out with the reason, batches
and files, and the SQL. The rows are those of `metrics.kpi_facts`, of which `kpi_values` are the sums; the line
*recount* adds them up again, and the command fails if that is not the published number. A version is a fingerprint of
everything upstream: *definition* of models and macros, *rules* of seeds and settings.

## Dimensions

`--by` takes channel, channel_type, customer (retailer), node, carrier, state, category, seller, currency; the 3PL
(`3pl`), `node_type`, `lane` (node > zone of destination), `lane_zone`, `priority_tier` (rank of the channel); and, from
the rows when asked, `sku`, `service`, `ship_to`, `order_type`, `incoterm` (attribute `incoterm` of the captured order).
A row that has no such thing says *(not applicable)*: an order has no SKU, ask `otif_line` instead. All parts add up to
the whole, but amounts of two currencies (and days of them) are no sum: such a figure says so, ask it by currency. Nor
has it a worst and best case where what is in doubt is in another currency.

The incoterm names the point of delivery (seed `incoterms`): with EXW and FCA goods are delivered by the handover to the
carrier; with FAS, FOB, CFR, CIF, CPT and CIP at a port, of which no event tells, so that such lines are out of lenses
of delivery (*delivery_point_not_tracked*); with any other, or none, at the customer's.

## Fiscal periods and the year before

`--grain fiscal_month`, `fiscal_quarter` and `fiscal_year` follow section `[fiscal]` of `otif.toml`: 4-4-5, 4-5-4 or
5-4-4 weeks, ending on the weekday nearest to (or the last in) the end of a month. The default is the NRF's calendar.
`--yoy` adds the comparable figure of the year before: a day compares with the one 364 days before, so weekdays match
and a year of 53 weeks is restated (its second week stands beside the next year's first); the 53rd week compares with
nothing. Calendar months compare with the same month.

A partner counts its own weeks: a lens whose profile has a `week_start` (seed `service_profiles`; Amazon's is Sunday)
shows weeks from that day on, as do its passports, and the gate *trailing four weeks on time* looks at the partner's
four weeks that end with the week of the due date. Walmart's weeks are not public: its calendar month stands in.

## Restatements

When a build changes a figure of a week that was over when the last publication was made, it logs old and new numerator
and denominator and the cause, row by row, so that the causes add up: *late events* (the row's order has an event of
before that publication that landed after it), new *definition* or *rules* (the changed models or seeds are named), *new
events* (something happened since) or *time* (it fell due or matured). A row with a late event counts as late even if
rules changed too. `otif kpis --restatements`, the data health page and the weekly snapshot list them; `otif why` adds
them up to what was published before.
"""


def render(seeds: Path) -> str:
    """Return the document.

    Args:
        seeds: Folder of the product's seeds.
    """
    needs: dict[str, list[str]] = {}
    for row in _rows(seeds / "kpi_requirements.csv"):
        needs.setdefault(row["kpi_id"], []).append(row["reason_if_missing"])
    targets = {row["kpi_id"]: row for row in _rows(seeds / "targets.csv") if not row["channel"]}
    return _INTRODUCTION + "".join(
        "\n".join(_section(row, needs.get(row["kpi_id"], []), targets.get(row["kpi_id"]))) + "\n"
        for row in _rows(seeds / "kpi_catalogue.csv")
    )


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        yield from csv.DictReader(handle)


def _section(kpi: dict[str, str], needs: list[str], target: dict[str, str] | None) -> Iterator[str]:
    yield f"\n## {kpi['kpi_name']}\n"
    yield f"`{kpi['kpi_id']}` · {kpi['spec_id']} · {kpi['unit']} · {_better(kpi)} is better\n"
    yield f"{kpi['definition']}\n"
    share = f" over {kpi['denominator']}" if kpi["denominator"] else ""
    yield f"- counts: {kpi['numerator']}{share}, per {kpi['grain']}, by {kpi['cohort_date']}"
    if target:
        value = float(target["target"])
        yield f"- target: {f'{value:.1%}' if kpi['unit'] == 'ratio' else f'{value:g}'} ({target['source']})"
    if needs:
        yield f"- unavailable when {'; or '.join(needs)}"


def _better(kpi: dict[str, str]) -> str:
    return "higher" if kpi["higher_is_better"] == "true" else "lower"


if __name__ == "__main__":
    import sys

    sys.stdout.write(render(Path(__file__).parents[2] / "data" / "seeds"))
