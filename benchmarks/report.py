"""How a benchmark is measured and told: interleaved rounds, medians, a ratio with its noise, a verdict.

    def run(report):
        report.ratio("keep-alive GET", ours, peer, peer_name="requests.Session", budget=">= 2x", number=500)
        report.cost("current session", lookup, budget="<= 100 ns", number=100_000)
        report.rate("50 at once", download, operations=1_000, budget=">= 2100/s")

Peers run in turn within each round, so that whatever else the machine does falls on all of them alike. A
ratio is "how many times as fast as the peer"; with `measure="cpu"` processor seconds are compared.
"""

from __future__ import annotations

import gc
import json
import re
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_BUDGET = re.compile(r"(<=|>=)\s*([\d.,]+)\s*(x|/s|ns|us|ms|s|kB)?")


@dataclass(frozen=True, slots=True)
class Budget:
    """What a figure must be: ">= 2x", "<= 100 ns", ">= 2,100/s".

    Attributes:
        at_most: Whether the figure must stay below (else above) the limit.
        limit: In seconds, times or operations per second.
        text: As it was written.
    """

    at_most: bool
    limit: float
    text: str

    @classmethod
    def parse(cls, text: str) -> Budget:
        """The budget a text means; ValueError when it means none."""
        match = _BUDGET.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is no budget; write '>= 2x', '<= 100 ns' or '>= 2100/s'")
        sign, number, unit = match.groups()
        return cls(sign == "<=", float(number.replace(",", "")) * _UNITS.get(unit, 1.0), text)

    def verdict(self, figures: Sequence[float]) -> str:
        """ "holds" when the median does, "missed" when no round did, else "noisy"."""
        kept = [(figure <= self.limit) if self.at_most else (figure >= self.limit) for figure in figures]
        median = statistics.median(figures)
        if (median <= self.limit) if self.at_most else (median >= self.limit):
            return "holds"
        return "noisy" if any(kept) else "missed"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report; times are texts with their unit."""

    part: str
    name: str
    figure: str
    noise: str
    ours: str
    peer: str
    budget: str
    verdict: str
    rounds: tuple[float, ...]


class Report:
    """Collects the rows of all benchmarks.

    Args:
        say: Called with each row as soon as it is measured; None keeps quiet.
    """

    def __init__(self, say: Callable[[Row], None] | None = None) -> None:
        self.rows: list[Row] = []
        self.part = ""
        self._say = say

    def ratio(
        self,
        name: str,
        ours: Callable[[], Any],
        peer: Callable[[], Any],
        *,
        peer_name: str = "peer",
        budget: str | None = None,
        number: int = 1,
        rounds: int = 9,
        measure: str = "wall",
    ) -> float:
        """Compare two ways of doing the same thing; returns the median ratio.

        Args:
            name: What is done.
            ours: Does it once, our way.
            peer: Does it once, the other way.
            peer_name: What the other way is called.
            budget: ">= 2x": how many times as fast ours must be; "<= 1.35x": how much dearer it may be.
            number: How often each is called in a round.
            rounds: How many rounds are measured, after one to warm up.
            measure: "wall" or "cpu".
        """
        parsed = Budget.parse(budget) if budget else None
        times = _interleave([ours, peer], number, rounds, measure)
        dearer = parsed is not None and parsed.at_most
        ratios = [mine / other if dearer else other / mine for mine, other in times]
        mine, other = (statistics.median(column) / number for column in zip(*times, strict=True))
        sides = (_time(mine), f"{_time(other)} {peer_name}")
        return self._add(name, ratios, "{:.2f}x".format, sides, parsed)

    def cost(
        self,
        name: str,
        work: Callable[[], Any],
        *,
        budget: str | None = None,
        number: int = 1,
        rounds: int = 9,
    ) -> float:
        """Measure what one call costs (seconds, the empty loop taken off); returns the median."""
        times = _interleave([work, _nothing], number, rounds, "wall")
        each = [max(0.0, mine - empty) / number for mine, empty in times]
        return self._add(name, each, _time, ("", ""), Budget.parse(budget) if budget else None)

    def rate(
        self,
        name: str,
        work: Callable[[], Any],
        *,
        operations: int,
        budget: str | None = None,
        rounds: int = 3,
    ) -> float:
        """Measure how many operations a second `work`, which does `operations` of them, gets through."""
        times = _interleave([work], 1, rounds, "wall")
        rates = [operations / seconds for (seconds,) in times]
        return self._add(name, rates, "{:,.0f}/s".format, ("", ""), Budget.parse(budget) if budget else None)

    def figures(self, name: str, values: Sequence[float], *, unit: str, budget: str | None = None) -> float:
        """Report what was measured elsewhere (bytes, seconds of a subprocess); returns the median."""
        parsed = Budget.parse(budget) if budget else None
        write: Callable[[float], str] = _time if unit == "s" else lambda value: f"{value:,.4g}{unit}"
        return self._add(name, list(values), write, ("", ""), parsed)

    def _add(
        self,
        name: str,
        figures: list[float],
        write: Callable[[float], str],
        sides: tuple[str, str],
        budget: Budget | None,
    ) -> float:
        median = statistics.median(figures)
        row = Row(
            self.part,
            name,
            write(median),
            f"{write(min(figures))} - {write(max(figures))}",
            *sides,
            budget.text if budget else "",
            budget.verdict(figures) if budget else "",
            tuple(figures),
        )
        self.rows.append(row)
        if self._say:
            self._say(row)
        return median


def _nothing() -> None:
    pass


def _interleave(
    works: Sequence[Callable[[], Any]], number: int, rounds: int, measure: str
) -> list[tuple[float, ...]]:
    """Seconds of each work in each round; every second round runs them in the other order."""
    clock = _CLOCKS[measure]
    for work in works:
        work()
    measured = []
    for turn in range(rounds):
        order = list(enumerate(works))
        seconds = [0.0] * len(works)
        gc.collect()
        for index, work in reversed(order) if turn % 2 else order:
            begin = clock()
            for _ in range(number):
                work()
            seconds[index] = max(clock() - begin, 1e-9)
        measured.append(tuple(seconds))
    return measured


def _time(seconds: float) -> str:
    for unit, size in _UNITS.items():
        if abs(seconds) < size * 1000:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def print_table(rows: Sequence[Row]) -> None:
    """The report for a person: a table, by rich where it is installed."""
    heads = ("part", "what", "median", "min - max", "ours", "peer", "budget", "verdict")
    lines = [
        (row.part, row.name, row.figure, row.noise, row.ours, row.peer, row.budget, row.verdict)
        for row in rows
    ]
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        widths = [max(map(len, column)) for column in zip(heads, *lines, strict=True)]
        for line in (heads, *lines):
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        return
    colours = {"holds": "green", "noisy": "yellow", "missed": "bold red"}
    table = Table(*heads[:-1], heads[-1])
    for *cells, verdict in lines:
        table.add_row(*cells, f"[{colours[verdict]}]{verdict}[/]" if verdict else "")
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def print_json(rows: Sequence[Row]) -> None:
    """The report for a program: a list of objects."""
    print(json.dumps([asdict(row) for row in rows], indent=1))
