"""Where a company's data lives and how it is set up: one frozen object, read once at the edge.

A workspace is a folder with `otif.toml`, `seeds/`, `mappings/`, `inbox/` and the generated `var/`.
Secrets are never in the file; they come from environment variables named in the outbound adapters.
"""

from __future__ import annotations

import os
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from storage.errors import ConfigError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
"""The checkout: dbt project, default seeds and mappings are found from here."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FiscalSettings(_Section):
    """The fiscal year: 52 or 53 whole weeks, in months of four and five weeks. The defaults are the NRF's 4-5-4.

    Attributes:
        pattern: Weeks of the three months of a quarter. The 53rd week belongs to the last month.
        ends_on: Weekday on which every fiscal week, month and year ends.
        year_end_month: Month (1 to 12) at whose end the year ends.
        year_end: The year ends on the `ends_on` nearest to the month's last day, or on the last one in the month.
        named_after: A year is named after the calendar year it starts or ends in.
    """

    pattern: Literal["4-4-5", "4-5-4", "5-4-4"] = "4-5-4"
    ends_on: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = "saturday"
    year_end_month: int = Field(default=1, ge=1, le=12)
    year_end: Literal["nearest", "last"] = "nearest"
    named_after: Literal["start", "end"] = "start"


class CompanySettings(_Section):
    """Who the workspace belongs to, where it is at home and how it tells time."""

    name: str = "My company"
    zone: str = "UTC"
    currency: str = "USD"
    country: str = Field(default="US", pattern=r"^[A-Z]{2}$")
    week_start: Literal["monday", "sunday"] = "monday"
    as_of: date | datetime | None = None

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            message = f"{value!r} is not an IANA time zone (expected e.g. America/New_York)"
            raise ValueError(message) from error
        return value


class ChecksSettings(_Section):
    """What a failed expectation suite does to its batch."""

    on_failure: Literal["quarantine", "warn", "stop"] = "quarantine"


class MailSettings(_Section):
    """SMTP server and recipients of the scheduled reports. The password comes from OTIF_SMTP_PASSWORD.

    Attributes:
        weekly_recipients: Who gets the weekly snapshot.
        exception_recipients: Owner of exceptions (role, team or person) → who is told of new ones; `*` = of all.
    """

    host: str = ""
    port: int = 25
    starttls: bool = False
    username: str = ""
    sender: str = "otif@localhost"
    weekly_recipients: tuple[str, ...] = ()
    exception_recipients: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class OmsSettings(_Section):
    """Target of rule updates. The token comes from OTIF_OMS_TOKEN."""

    url: str = ""
    rule_set_id: str = "live"


class LedgerSettings(_Section):
    """Where people's decisions are kept; empty = SQLite in the workspace."""

    url: str = ""


class PartnerProfile(_Section):
    """How a trading partner fills elements that the X12 standard leaves to an agreement.

    Attributes:
        change_quantity: What POC03 of an 860 or 865 says: the line's new total, the difference, or the quantity before
            the change (the new one stands in POC04).
        adjustment_flag: From whose side D and C of an 812 are meant: the partner's debit takes from us (buyer), or the
            debit is our own claim (seller).
        inventory: An 846 lists every item of its node, so that what is missing has no stock (full), or only those
            that changed (changes).
    """

    change_quantity: Literal["total", "difference", "before"] = "total"
    adjustment_flag: Literal["buyer", "seller"] = "buyer"
    inventory: Literal["full", "changes"] = "changes"


class EdiSettings(_Section):
    """Our own identity and the partners' in EDI interchanges.

    Attributes:
        own_ids: Our ISA/GS ids; a document whose sender is one of these is outbound.
        partners: ISA/GS id → retailer id.
        zones: retailer id → IANA zone of interchange stamps and date-only fields; default = company zone.
        profiles: retailer id → how the partner fills what the standard leaves open.
    """

    own_ids: tuple[str, ...] = ()
    partners: dict[str, str] = Field(default_factory=dict)
    zones: dict[str, str] = Field(default_factory=dict)
    profiles: dict[str, PartnerProfile] = Field(default_factory=dict)


class InboxSettings(_Section):
    """How the inbox is watched.

    Attributes:
        watch: `otif serve` watches it too; `otif watch` always does.
        settle_seconds: How long a file must not have changed to be complete.
    """

    watch: bool = False
    settle_seconds: int = Field(default=10, ge=0)


class FeedSettings(BaseModel):
    """A feed that is pulled. Its secret comes from `OTIF_FEED_<NAME>`; other keys fill the definition's parameters.

    Attributes:
        use: Definition; default = the feed's own name.
        since: First day of the very first pull.
        every_minutes: How often a schedule pulls it.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    use: str = ""
    since: date | None = None
    every_minutes: int = Field(default=15, ge=1)


class Settings(_Section):
    """The whole configuration of one workspace."""

    home: Path
    company: CompanySettings = CompanySettings()
    fiscal: FiscalSettings = FiscalSettings()
    checks: ChecksSettings = ChecksSettings()
    mail: MailSettings = MailSettings()
    oms: OmsSettings = OmsSettings()
    ledger: LedgerSettings = LedgerSettings()
    edi: EdiSettings = EdiSettings()
    inbox: InboxSettings = InboxSettings()
    feeds: dict[str, FeedSettings] = Field(default_factory=dict)
    keep_publications: int = Field(default=5, ge=1)

    @classmethod
    def load(cls, home: Path | str | None = None) -> Self:
        """Read `otif.toml` of the workspace.

        Args:
            home: Workspace folder; default is `OTIF_HOME`, then the current folder.

        Raises:
            ConfigError: No workspace there, or the file is malformed.
        """
        root = Path(home or os.environ.get("OTIF_HOME") or ".").resolve()
        path = root / "otif.toml"
        if not path.is_file():
            message = f"no otif.toml in {root}. Make a workspace with `otif init {root}` or name one with --home."
            raise ConfigError(message)
        try:
            raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
            return cls(home=root, **raw)
        except tomllib.TOMLDecodeError as error:
            message = f"{path}: not valid TOML: {error}"
            raise ConfigError(message) from error
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            message = f"{path}: {faults}"
            raise ConfigError(message) from error

    @property
    def var(self) -> Path:
        """Generated files of the workspace."""
        return self.home / "var"

    @property
    def database(self) -> Path:
        """The DuckDB file that landing and dbt write."""
        return self.var / "otif.duckdb"

    @property
    def published(self) -> Path:
        """Folder of read-only publications."""
        return self.var / "published"

    @property
    def reports(self) -> Path:
        """Folder of rendered reports."""
        return self.var / "reports"

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy URL of the ledger."""
        return self.ledger.url or f"sqlite:///{self.var / 'ledger.sqlite'}"

    @property
    def zone(self) -> ZoneInfo:
        """Company time zone."""
        return ZoneInfo(self.company.zone)

    def resolve_as_of(self, value: str | None = None) -> datetime:
        """Return the instant (aware, UTC) a build looks at the world from.

        A date means the start of that day in the company's zone. Without a value the workspace's
        `as_of` counts, and without that the current time.

        Raises:
            ConfigError: The value is neither a date nor an ISO timestamp.
        """
        chosen: str | date | datetime | None = value or self.company.as_of
        if chosen is None:
            return datetime.now(tz=UTC)
        if isinstance(chosen, str):
            try:
                chosen = datetime.fromisoformat(chosen)
            except ValueError as error:
                message = f"as-of {value!r}: expected a date or ISO timestamp, e.g. 2026-11-16 or 2026-11-16T06:00Z"
                raise ConfigError(message) from error
        if not isinstance(chosen, datetime):
            chosen = datetime(chosen.year, chosen.month, chosen.day)  # noqa: DTZ001 - zone attached below
        return (chosen if chosen.tzinfo else chosen.replace(tzinfo=self.zone)).astimezone(UTC)
