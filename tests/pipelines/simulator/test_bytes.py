"""Same arguments, same bytes; and the committed sample is what the simulator writes."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pipelines.simulator.errors import SimulationError
from pipelines.simulator.run import simulate
from storage.settings import Settings


def contents(home: Path, *, unpack: bool = False) -> dict[str, bytes]:
    return {
        path.relative_to(home).as_posix(): gzip.decompress(path.read_bytes())
        if unpack and path.suffix == ".gz"
        else path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file()
    }


def test_same_arguments_give_the_same_bytes_and_another_seed_does_not(tmp_path):
    reports = [
        simulate(tmp_path / name, orders=400, seed=seed, weeks=6) for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert reports[0] == reports[1]
    first, other = contents(tmp_path / "a"), contents(tmp_path / "c")
    assert first["inbox/shopify/orders-2026-W44.json.gz"] != other["inbox/shopify/orders-2026-W44.json.gz"]


def test_the_committed_sample_is_what_the_simulator_writes(project_root, tmp_path):
    simulate(tmp_path, orders=5000, seed=7, weeks=26)
    assert contents(tmp_path, unpack=True) == contents(project_root / "data" / "sample", unpack=True)


def test_the_committed_sample_is_small(project_root):
    sizes = [path.stat().st_size for path in (project_root / "data" / "sample").rglob("*") if path.is_file()]
    assert sum(sizes) < 4_000_000
    assert max(sizes) < 1_000_000


def test_as_many_orders_are_captured_as_asked_for(tmp_path):
    seen = []
    report = simulate(tmp_path, orders=777, seed=1, weeks=5, on_week=seen.append)
    assert report.orders == 777
    assert seen == ["2026-W42", "2026-W43", "2026-W44", "2026-W45", "2026-W46"]
    assert report.files == len([path for path in tmp_path.rglob("*") if path.is_file()])


@pytest.mark.parametrize("arguments", [{"orders": 99, "weeks": 26}, {"orders": 500, "weeks": 1}])
def test_numbers_out_of_range_are_refused_with_the_allowed_range(tmp_path, arguments):
    with pytest.raises(SimulationError, match="expected"):
        simulate(tmp_path, seed=1, **arguments)


def test_the_settings_are_a_valid_workspace(sample):
    settings = Settings.load(sample.home)
    assert settings.company.name == "Larkfield Goods"
    assert settings.resolve_as_of().isoformat() == "2026-11-16T05:00:00+00:00"
    assert set(settings.edi.partners.values()) == {"walmart", "target", "kohls", "kroger"}
    assert settings.edi.own_ids == ("LARKFIELD",)
