"""What a feed is, read from YAML: where to ask, who we are, what is new, how to page. Data, no code.

`{name}` in the URL is a parameter of the workspace (`[feeds.<feed>]` in otif.toml). The secret is never in a file: it
is the environment variable `OTIF_FEED_<FEED>`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipelines.errors import PullError

_PARAMETER = re.compile(r"\{(\w+)\}")
_EPOCH_LIMIT = 10**11
"""Unix stamps above are milliseconds."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Auth(_Part):
    """How the secret is sent.

    Attributes:
        kind: bearer (`Authorization: Bearer <secret>`), basic (the secret is `user:password`), header or none.
        header: Name of the header, for `header`.
    """

    kind: Literal["bearer", "basic", "header", "none"] = "bearer"
    header: str = ""

    @model_validator(mode="after")
    def _header_is_named(self) -> Self:
        if (self.kind == "header") != bool(self.header):
            message = "`header` is needed for kind header, and only there"
            raise ValueError(message)
        return self


class Since(_Part):
    """How the server is asked for what changed.

    Attributes:
        into: Where the instant goes: `query.<name>` or `body.<path>`.
        field: Path in a row of the stamp that the server compares (or several, the first that is there counts); the
            newest one is where the next pull goes on.
        format: `iso`, `epoch`, or a strftime pattern.
        template: Text around it, e.g. `updated_at:>='{since}'`.
        overlap_minutes: How far before that the next pull starts: rows that became visible late. Repeated rows land
            once.
        zone: Zone in which the instant is written, and of stamps without offset.
        first_days: How far back the very first pull goes, if the workspace does not say (`since = 2026-01-01`).
    """

    into: str
    field: Annotated[tuple[str, ...], BeforeValidator(lambda given: (given,) if isinstance(given, str) else given)]
    format: str = "iso"
    template: str = "{since}"
    overlap_minutes: int = Field(default=15, ge=0)
    zone: str = "UTC"
    first_days: int = Field(default=90, ge=0)

    def written(self, instant: datetime) -> str:
        """Return an instant as the server wants it."""
        local = instant.astimezone(ZoneInfo(self.zone))
        match self.format:
            case "iso":
                text = local.isoformat(timespec="seconds")
            case "epoch":
                text = str(int(instant.timestamp()))
            case pattern:
                text = local.strftime(pattern)
        return self.template.replace("{since}", text)

    def read(self, value: object) -> datetime | None:
        """Return the instant of a stamp in a row (UTC), None where it is none."""
        try:
            if isinstance(value, int | float) or (isinstance(value, str) and value.isdigit()):
                number = float(value)
                return datetime.fromtimestamp(number / 1000 if number > _EPOCH_LIMIT else number, tz=UTC)
            moment = _parsed(str(value))
            aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(self.zone))
            return aware.astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            return None


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parsedate_to_datetime(text)


class Paging(_Part):
    """How the next page is found.

    Attributes:
        kind: none; link (`Link: <…>; rel="next"`); url (the body names the next address); cursor (the body names a
            cursor); page or offset (counted by us, read again until a pass brings nothing new, because rows move from
            page to page while they are read).
        at: Path in the body of the address or cursor.
        more: Path in the body of a flag: false ends the pages.
        into: Where cursor, page or offset goes: `query.<name>` or `body.<path>`.
        size: Rows of a full page, for page and offset; a shorter one is the last.
        first: Number of the first page.
    """

    kind: Literal["none", "link", "url", "cursor", "page", "offset"] = "none"
    at: str = ""
    more: str = ""
    into: str = ""
    size: int = Field(default=0, ge=0)
    first: int = 1

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        needed = {"url": ("at",), "cursor": ("at", "into"), "page": ("into", "size"), "offset": ("into", "size")}
        missing = [name for name in needed.get(self.kind, ()) if not getattr(self, name)]
        if missing:
            message = f"paging by {self.kind} needs {' and '.join(missing)}"
            raise ValueError(message)
        return self

    @property
    def is_counted(self) -> bool:
        """Whether we count the pages, so that rows can slide between them."""
        return self.kind in ("page", "offset")


class Definition(_Part):
    """A feed.

    Attributes:
        source: Adapter that reads its pages.
        url: Address, with `{parameters}`.
        method: GET or POST.
        headers: Further headers.
        query: Query parameters.
        body: JSON body of a POST.
        rows: Path in the body of the list of rows; empty = the body itself is the list.
        auth: How the secret is sent.
        since: How the server is asked for what changed; without it everything is read each time.
        paging: How the next page is found.
        details: Addresses asked for every row, `{field}` of the row filled in: what a list leaves out.
        seconds_between: Least pause between two requests.
        about: A sentence for the documentation.
    """

    source: str
    url: str
    method: Literal["GET", "POST"] = "GET"
    headers: dict[str, str] = Field(default_factory=dict)
    query: dict[str, str | int] = Field(default_factory=dict)
    body: dict[str, Any] | None = None
    rows: str = ""
    auth: Auth = Auth()
    since: Since | None = None
    paging: Paging = Paging()
    details: tuple[str, ...] = ()
    seconds_between: float = Field(default=0, ge=0)
    about: str = ""

    @field_validator("url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        if not value.startswith(("https://", "http://", "{")):
            message = f"{value!r} is no http(s) address"
            raise ValueError(message)
        return value

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters that the workspace must give."""
        return tuple(dict.fromkeys(_PARAMETER.findall(self.url)))

    def first_instant(self, now: datetime) -> datetime:
        """Where the very first pull starts if nobody says."""
        return now - timedelta(days=self.since.first_days if self.since else 0)


def load_definition(path: Path) -> Definition:
    """Read a definition.

    Raises:
        PullError: The file is missing or malformed.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Definition.model_validate(document)
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise PullError(message) from error
    except yaml.YAMLError as error:
        message = f"{path}: not valid YAML: {error}"
        raise PullError(message) from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'feed'}: {e['msg']}" for e in error.errors())
        message = f"{path}: {faults}"
        raise PullError(message) from error


def filled(template: str, values: dict[str, Any], *, where: str) -> str:
    """Return a template with its `{names}` filled in.

    Raises:
        PullError: A value is missing.
    """
    missing = [name for name in _PARAMETER.findall(template) if name not in values]
    if missing:
        message = f"{where}: {', '.join(missing)} is not given (needed in {template})"
        raise PullError(message)
    return _PARAMETER.sub(lambda match: str(values[match.group(1)]), template)
