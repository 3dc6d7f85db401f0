"""`make bench`: run every benchmark and print the table for benchmarks/README.md."""

from __future__ import annotations

from importlib import import_module

from benchmarks.harness import machine

BENCHMARKS = ("landing", "edi", "allocation", "tpch")


def main() -> None:
    """Print one table row per comparison."""
    print(f"Machine: {machine()}. Command: `make bench`. Ratio: theirs / ours.\n")
    print("| what | data | peer | ours | peer's | ratio | note |")
    print("|---|---|---|---|---|---|---|")
    for name in BENCHMARKS:
        for result in import_module(f"benchmarks.{name}").run():
            print(
                f"| {result.name} | {result.data} | {result.peer} | {result.ours:.2f} {result.unit} "
                f"| {result.theirs:.2f} {result.unit} | {result.ratio:.2f} | {result.note} |"
            )


if __name__ == "__main__":
    main()
