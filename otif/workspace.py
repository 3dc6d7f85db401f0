"""Makes workspaces: a company's own folder, apart from the code."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from storage.errors import ConfigError
from storage.settings import PROJECT_ROOT, Settings

SAMPLE: Final = PROJECT_ROOT / "data" / "sample"
"""The committed sample company."""

SCENARIOS: Final = PROJECT_ROOT / "data" / "scenarios"
"""The committed library of scenarios."""

_TEMPLATE: Final = """\
# Settings of this workspace. Secrets are not kept here: they come from the environment
# (OTIF_SMTP_PASSWORD, OTIF_OMS_TOKEN).

[company]
name = "My company"
zone = "UTC"               # IANA zone, e.g. America/New_York
currency = "USD"
week_start = "monday"      # or sunday
# as_of = 2026-11-16       # fixed view of the world; without it a build looks from now

[fiscal]                   # calendar of --grain fiscal_month and fiscal_quarter; as it stands, the NRF's 4-5-4
pattern = "4-5-4"          # weeks of a quarter's months: 4-4-5, 4-5-4 or 5-4-4; the 53rd week belongs to the last
ends_on = "saturday"
year_end_month = 1         # the year ends on the Saturday nearest to 31 January
year_end = "nearest"       # or last: the last Saturday in the month
named_after = "start"      # the year is named after the calendar year it starts in; or end

[checks]
on_failure = "quarantine"  # what a failed expectation suite does to its batch: quarantine, warn or stop

[mail]
# host = "smtp.example.com"
# port = 587
# starttls = true
# username = "reports"
# sender = "otif@example.com"
# weekly_recipients = ["lead@example.com"]
# exception_recipients = { finance = ["ar@example.com"], "*" = ["ops@example.com"] }   # `otif exceptions alert`

[oms]
# url = "https://oms.example.com"   # rule endpoint; `otif rules-endpoint` is the reference
# rule_set_id = "live"

[edi]
# own_ids = ["MYCOMPANY"]            # our ISA/GS ids
# [edi.partners]
# "925485US00" = "walmart"           # ISA/GS id = retailer id
"""


def create_workspace(folder: Path) -> list[Path]:
    """Write a new workspace.

    Args:
        folder: Where; made if it does not exist.

    Returns:
        What was written.

    Raises:
        ConfigError: There is a workspace already.
    """
    config = folder / "otif.toml"
    if config.exists():
        message = f"{config} exists already; nothing was changed."
        raise ConfigError(message)
    for name in ("seeds", "mappings", "inbox"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    config.write_text(_TEMPLATE, encoding="utf-8")
    copy_scenarios(folder)
    return [config, *(folder / name for name in ("seeds", "mappings", "inbox", "scenarios"))]


def copy_scenarios(folder: Path) -> None:
    """Lay the product's scenarios into a workspace, to be edited; those that are there stay as they are."""
    target = folder / "scenarios"
    target.mkdir(exist_ok=True)
    for source in sorted(SCENARIOS.glob("*.yml")):
        if not (target / source.name).exists():
            shutil.copyfile(source, target / source.name)


def create_sample_workspace(folder: Path) -> Settings:
    """Lay the sample company's settings, seeds and mappings into a workspace; generated files start anew.

    Args:
        folder: Workspace of the demonstration.

    Raises:
        ConfigError: The sample is not in this checkout.
    """
    if not (SAMPLE / "otif.toml").is_file():
        message = f"the sample company is missing ({SAMPLE}); make it with `otif simulate --out {SAMPLE}`"
        raise ConfigError(message)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("var", "seeds", "mappings"):
        shutil.rmtree(folder / name, ignore_errors=True)
    shutil.copyfile(SAMPLE / "otif.toml", folder / "otif.toml")
    for name in ("seeds", "mappings"):
        if (SAMPLE / name).is_dir():
            shutil.copytree(SAMPLE / name, folder / name)
    (folder / "inbox").mkdir(exist_ok=True)
    copy_scenarios(folder)
    return Settings.load(folder)
