"""`python -m benchmarks [NAME ...] [--json]`: run the benchmarks, all or those whose module is named.

Exit status 1 when a budget was missed in every round.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks.report import Report, Row, print_json, print_table


def main() -> int:
    modules = sorted(Path(__file__).parent.glob("*.py"))
    found = [module.stem for module in modules if "\ndef run(" in module.read_text("utf-8")]
    parser = argparse.ArgumentParser(prog="benchmarks", description="budgets beside their peers, as ratios")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(found)}")
    parser.add_argument("--json", action="store_true", help="print a list of objects")
    chosen = parser.parse_args()
    for name in chosen.names:
        if name not in found:
            parser.error(f"no benchmark {name!r}")
    report = Report(_progress)
    for name in chosen.names or found:
        module = importlib.import_module(f"benchmarks.{name}")
        report.part = name
        module.run(report)
    (print_json if chosen.json else print_table)(report.rows)
    return int(any(row.verdict == "missed" for row in report.rows))


def _progress(row: Row) -> None:
    print(f"{row.part}: {row.name}: {row.figure} {row.verdict}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
