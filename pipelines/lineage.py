"""What a KPI is made of: the view that holds its rows, its SQL, and versions of its definition and its rules.

A version is a fingerprint over everything upstream of the KPI's rows. The definition's covers the models and macros,
the rules' the seeds and the settings that builds pass on. A changed comment counts as a change: better one too many
than one unnoticed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from storage.duck import Connection
from storage.publish import PUBLIC_SCHEMAS

_ROWS: Final = "kpi_facts"
_STAGES: Final = ("kpi_facts_of_stages", "kpi_durations")
_NAMES_KPI: Final = re.compile(r"'(\w+)' as kpi_id")
_DIGITS: Final = 10
_EARLY_CUT: Final = re.compile(r"/[*] on days changed: .+? [*]/ true")
"""Where an incremental build cuts rows to some days (macros/incremental.sql); it says nothing of what a row is."""
# The instant moves with every build, and how days are put into years changes no row.
_NOT_A_RULE: Final = ("as_of", "week_start", "fiscal_")


@dataclass(frozen=True, slots=True)
class Input:
    """One thing a model of KPI rows depends on.

    Attributes:
        kind: model, macro, seed or setting.
        name: Its name.
        fingerprint: Hash of its text.
    """

    kind: str
    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class RowModel:
    """A view of KPI rows.

    Attributes:
        name: Name of the view in schema metrics.
        sql: Its compiled query.
        kpis: KPIs whose rows it holds.
        inputs: Everything upstream, itself included.
    """

    name: str
    sql: str
    kpis: tuple[str, ...]
    inputs: tuple[Input, ...]

    def version(self, *kinds: str) -> str:
        """Return the fingerprint over the inputs of some kinds."""
        parts = sorted(f"{each.kind} {each.name} {each.fingerprint}" for each in self.inputs if each.kind in kinds)
        return _hash("\n".join(parts))


def published_views(manifest_path: Path, results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the views to publish: qualified name → compiled query, in the order they were made.

    Args:
        manifest_path: dbt's manifest of the same run.
        results: dbt's run results.
    """
    nodes = json.loads(manifest_path.read_text(encoding="utf-8"))["nodes"]
    made = [(nodes[row["unique_id"]], row) for row in results if row["unique_id"].startswith("model.")]
    return {
        f"{node['schema']}.{node['alias']}": row["compiled_code"]
        for node, row in made
        if node["config"]["materialized"] == "view" and node["schema"] in PUBLIC_SCHEMAS
    }


def sql_to_show(sql: str) -> str:
    """Return the SQL of a model for people, without the marks that only builds read."""
    return _EARLY_CUT.sub("true", sql)


def row_models(
    manifest_path: Path, results: Sequence[Mapping[str, Any]], rules: Mapping[str, object]
) -> list[RowModel]:
    """Return the views of KPI rows with what they depend on.

    Args:
        manifest_path: dbt's manifest of the same run.
        results: dbt's run results.
        rules: Settings that the build passed to the models.
    """
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    compiled = {row["unique_id"]: row.get("compiled_code") or "" for row in results}
    prefix = f"model.otif.{_ROWS}_of_"
    models = []
    for unique_id, sql in compiled.items():
        if not unique_id.startswith(prefix):
            continue
        name = unique_id.rsplit(".", 1)[-1]
        told = compiled.get(f"model.otif.{_STAGES[1]}", "") if name == _STAGES[0] else sql
        settings = [
            Input("setting", key, _hash(json.dumps(value, default=str)))
            for key, value in rules.items()
            if not key.startswith(_NOT_A_RULE)
        ]
        models.append(
            RowModel(
                name=name,
                sql=sql_to_show(sql),
                kpis=tuple(dict.fromkeys(_NAMES_KPI.findall(told))),
                inputs=(*_upstream(manifest, unique_id), *settings),
            )
        )
    return sorted(models, key=lambda model: model.name)


def write_lineage(connection: Connection, models: Iterable[RowModel]) -> None:
    """Write `metrics.kpi_models` (a row per KPI) and `metrics.kpi_lineage` (a row per view and input)."""
    connection.execute("create schema if not exists metrics")
    connection.execute(
        "create or replace table metrics.kpi_models (kpi_id varchar, row_model varchar, definition_version varchar, "
        "rules_version varchar, sql varchar)"
    )
    connection.execute(
        "create or replace table metrics.kpi_lineage (row_model varchar, kind varchar, name varchar, "
        "fingerprint varchar)"
    )
    known = list(models)
    kpis = [
        [kpi, model.name, model.version("model", "macro"), model.version("seed", "setting"), model.sql]
        for model in known
        for kpi in model.kpis
    ]
    inputs = [[model.name, each.kind, each.name, each.fingerprint] for model in known for each in model.inputs]
    if kpis:
        connection.executemany("insert into metrics.kpi_models values (?, ?, ?, ?, ?)", kpis)
        connection.executemany("insert into metrics.kpi_lineage values (?, ?, ?, ?)", inputs)


def _upstream(manifest: Mapping[str, Any], unique_id: str) -> list[Input]:
    """Return a node and everything it depends on, macros of this project included."""
    found: dict[str, Input] = {}
    waiting = [unique_id]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        if current.startswith("macro."):
            macro = manifest["macros"].get(current)
            if macro is None or macro["package_name"] != "otif":
                continue
            found[current] = Input("macro", macro["name"], _hash(macro["macro_sql"]))
            waiting += macro["depends_on"]["macros"]
            continue
        node = manifest["nodes"].get(current)
        if node is None:  # a source: landed events are data
            continue
        found[current] = Input(node["resource_type"], node["name"], node["checksum"]["checksum"][:_DIGITS])
        depends = node["depends_on"]
        waiting += [*depends.get("nodes", []), *depends.get("macros", [])]
    return sorted(found.values(), key=lambda each: (each.kind, each.name))


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_DIGITS]
