"""The workspace around the files: settings, and the mappings of the two spreadsheets."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pipelines.simulator.company import AS_OF, CURRENCY, NAME, OWN_EDI_ID, RETAILERS, ZONE
from pipelines.simulator.writers.files import write_text

_HOLDS: Final = f"""\
# Holds on orders, kept by hand: one row when a hold is placed, the same row again with its end when it is released.
name: holds
description: Hold log of {NAME}
zone: {ZONE}
tables:
  holds:
    files: "*holds-*.csv"
events:
  - type: hold.placed
    from: holds
    at: placed_at
    columns:
      order_id: order_number
      hold_type: hold_type
      reason: note
  - type: hold.released
    from: holds
    at: released_at              # empty while the hold is on
    columns:
      order_id: order_number
      hold_type: hold_type
      reason: note
"""

_DISPUTES: Final = f"""\
# Disputes of retailer deductions: one row when a dispute is filed, again with its outcome when it is resolved.
name: disputes
description: Dispute log of {NAME}
zone: {ZONE}
tables:
  disputes:
    files: "*disputes-*.csv"
events:
  - type: dispute.filed
    from: disputes
    at: filed_at
    columns:
      document_id: dispute_number
      reference_id: deduction_number
      order_id: order_number
      customer_id: retailer
      amount: amount
      currency: {{constant: {CURRENCY}}}
      due_at: {{date_end_of_day: deadline}}
  - type: dispute.resolved
    from: disputes
    at: resolved_at              # empty while the dispute is open
    columns:
      document_id: dispute_number
      reference_id: deduction_number
      order_id: order_number
      customer_id: retailer
      amount: recovered          # what came back
      currency: {{constant: {CURRENCY}}}
      outcome: status
"""


def write_workspace(folder: Path) -> None:
    """Write otif.toml and mappings/."""
    write_text(folder / "otif.toml", _settings())
    write_text(folder / "mappings" / "holds.yml", _HOLDS)
    write_text(folder / "mappings" / "disputes.yml", _DISPUTES)


def _settings() -> str:
    partners = "\n".join(f'{retailer.edi_id} = "{retailer.retailer}"' for retailer in RETAILERS)
    return f"""\
# The sample company. Everything in this folder is written by `otif simulate`.

[company]
name = "{NAME}"
zone = "{ZONE}"
currency = "{CURRENCY}"
week_start = "monday"
as_of = {AS_OF}

[edi]
own_ids = ["{OWN_EDI_ID}"]

[edi.partners]
{partners}

[mail]
sender = "otif@larkfield.example"
weekly_recipients = ["coo@larkfield.example", "operations@larkfield.example"]

[oms]
url = "http://127.0.0.1:8600"   # `otif rules-endpoint` listens there
rule_set_id = "live"
"""
