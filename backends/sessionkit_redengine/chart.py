"""A Gantt chart of runs: in the terminal, and as SVG."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from sessionkit_redengine.history.base import RunRecord

#: Of each action: the terminal's colour, SVG's, and a sign for those who see no colours.
STYLES: Final = {
    "success": ("green", "#2e9e5b", "█"),
    "fail": ("red", "#d13b3b", "▓"),
    "crash": ("magenta", "#a03bd1", "▓"),
    "terminate": ("yellow", "#d1a13b", "▒"),
    "inaction": ("bright_black", "#9a9a9a", "░"),
    "run": ("cyan", "#3b8fd1", "▶"),
}
_FONT: Final = 'font-family="sans-serif" font-size="12"'
_ROW, _BAR, _LABELS, _WIDTH, _TOP = 26, 16, 180, 900, 34


class Bar(NamedTuple):
    """A run on the chart: where it begins and ends, as parts of the whole time, and how it ended."""

    start: float
    end: float
    action: str
    title: str


class Chart:
    """The runs of some tasks, one row for each task in the order of their first runs.

    >>> Chart(history.runs("redengine", Query(limit=200))).svg()

    Args:
        runs: The runs, oldest first.
        now: Until when those on their way are drawn (seconds since the epoch); None is the latest instant.
        zone: The time zone of the labels.
    """

    def __init__(
        self, runs: Iterable[RunRecord], *, now: float | None = None, zone: tzinfo = timezone.utc
    ) -> None:
        known = list(runs)
        self._zone = zone
        self.begin = min((run.started for run in known), default=0.0)
        latest = max((run.ended or run.started for run in known), default=1.0)
        self.end = max(latest if now is None else now, self.begin + 1e-3)
        self.rows: dict[str, list[Bar]] = {}
        for run in known:
            self.rows.setdefault(run.task, []).append(self._bar(run))

    def _bar(self, run: RunRecord) -> Bar:
        ended = self.end if run.ended is None else run.ended
        took = "running" if run.ended is None else f"{ended - run.started:.3g} s"
        title = f"{run.task}: {run.action}, {self._clock(run.started, '%Y-%m-%d %H:%M:%S')}, {took}"
        return Bar(self._part(run.started), self._part(ended), run.action, title)

    def _part(self, at: float) -> float:
        return min(1.0, max(0.0, (at - self.begin) / (self.end - self.begin)))

    def _clock(self, at: float, form: str) -> str:
        return datetime.fromtimestamp(at, self._zone).strftime(form)

    def marks(self, count: int = 5) -> list[tuple[float, str]]:
        """Points of the time axis: where they are, and their labels."""
        length = self.end - self.begin
        form = "%m-%d %H:%M" if length > 86_400 else "%H:%M" if length > 600 else "%H:%M:%S"
        return [
            (part, self._clock(self.begin + part * length, form))
            for part in (number / (count - 1) for number in range(count))
        ]

    def table(self, width: int = 100) -> Table:
        """The chart for rich's console, `width` characters wide."""
        from rich.table import Table  # noqa: PLC0415 - only charts need it
        from rich.text import Text  # noqa: PLC0415 - see above

        names = max((len(name) for name in self.rows), default=4)
        cells = max(20, width - min(names, width // 3) - 7)
        table = Table("task", self._axis(cells), header_style="bold", title="runs", title_justify="left")
        for name, bars in self.rows.items():
            line = Text(" " * cells)
            for text, first, style in _drawn(bars, cells):
                line = Text.assemble(line[:first], (text, style), line[first + len(text) :])
            table.add_row(Text(name, no_wrap=True, overflow="ellipsis"), line)
        return table

    def _axis(self, cells: int) -> str:
        line = [" "] * cells
        for part, label in self.marks(max(2, min(5, cells // 14))):
            first = min(int(part * cells), cells - len(label))
            line[first : first + len(label)] = label
        return "".join(line)

    def svg(self) -> str:
        """The chart as an SVG document."""
        height = _TOP + _ROW * len(self.rows) + 10
        scale = _WIDTH - _LABELS - 20
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" {_FONT}>',
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        ]
        for part, label in self.marks():
            x = _LABELS + part * scale
            parts.append(
                f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{height - 8}" stroke="#dddddd"/>'
            )
            parts.append(
                f'<text x="{x:.1f}" y="{_TOP - 14}" text-anchor="middle" fill="#666666">{label}</text>'
            )
        for row, (name, bars) in enumerate(self.rows.items()):
            parts += self._svg_row(name, bars, _TOP + row * _ROW, scale)
        return "\n".join([*parts, "</svg>\n"])

    @staticmethod
    def _svg_row(name: str, bars: Sequence[Bar], y: int, scale: float) -> list[str]:
        parts = [f'<text x="{_LABELS - 8}" y="{y + 13}" text-anchor="end">{escape(_shortened(name))}</text>']
        for bar in bars:
            x, width = _LABELS + bar.start * scale, max(2.0, (bar.end - bar.start) * scale)
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="2" '
                f'fill="{STYLES[bar.action][1]}"><title>{escape(bar.title)}</title></rect>'
            )
        return parts


def _drawn(bars: Sequence[Bar], cells: int) -> list[tuple[str, int, str]]:
    """Each bar as characters, where they begin, and their colour."""
    drawn = []
    for bar in bars:
        colour, _, sign = STYLES[bar.action]
        first = min(int(bar.start * cells), cells - 1)
        drawn.append((sign * max(1, min(cells, round(bar.end * cells)) - first), first, colour))
    return drawn


def _shortened(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:27]}…"
