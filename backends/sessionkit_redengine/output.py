"""What one run says: its latest lines, as many as fit, until somebody takes them."""

from __future__ import annotations

import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: How much of a run's output is kept: its latest lines, as many as are within both.
MOST_LINES: Final = 1_000
MOST_CHARACTERS: Final = 65_536
#: Of how many runs of each task, the latest that said anything.
MOST_RUNS: Final = 100
#: Characters of a line, of which longer ones keep the beginning.
LONGEST_LINE: Final = 4_096
_LONGEST_REST: Final = 2 * LONGEST_LINE  # so that a secret at a long line's cut is seen whole
_PORTION = (250, 16_384)  # lines and characters taken at once: a row that every database has room for


class OutputLine(NamedTuple):
    """A line that a run has said.

    Attributes:
        created: When (seconds since the epoch, UTC).
        stream: "stdout", "stderr", or "log" for a record of the standard library's logging.
        text: The line, without its end; known secrets are "***".
    """

    created: float
    stream: str
    text: str


class Portion(NamedTuple):
    """Some lines of a run, on their way into the history.

    Attributes:
        session: The session's name.
        task: The task's.
        run_id: The run.
        started: When it started.
        number: 1 for the first portion of a run, then 2 and so on.
        first: The first portion that is still wanted: those before no longer fit.
        lines: The lines.
    """

    session: str
    task: str
    run_id: str
    started: float
    number: int
    first: int
    lines: Sequence[OutputLine]


def hidden(text: str) -> str:
    """A text without the secrets that are known in this process."""
    # Whoever has a secret has imported this; for others it would be a quarter of all that is imported.
    redact = getattr(sys.modules.get("sessionkit.secrets.registry"), "redact", None)
    return text if redact is None else str(redact(text))


def latest(lines: Iterable[OutputLine]) -> list[OutputLine]:
    """The latest of some lines, as many as fit."""
    kept: deque[OutputLine] = deque(lines, MOST_LINES)
    size = sum(len(line.text) for line in kept)
    while size > MOST_CHARACTERS:
        size -= len(kept.popleft().text)
    return list(kept)


class RunOutput:
    """The lines of one run that nobody has taken yet. Any thread may write.

    Never more than fit are held: whatever a run writes, it waits for nobody, and its oldest lines make room.

    Args:
        heard: Called when there are lines to be taken.
        now: The time.
    """

    __slots__ = ("_heard", "_lines", "_lock", "_now", "_rests", "_size", "portions")

    def __init__(self, heard: Callable[[], object], now: Callable[[], float]) -> None:
        self._heard = heard
        self._now = now
        self._lines: deque[OutputLine] = deque()
        self._size = 0
        self._rests: dict[str, str] = {}
        # A destructor may print while this very thread is in here.
        self._lock = threading.RLock()
        #: The portions in the history: `(number, lines, characters)`; kept by who writes them there.
        self.portions: deque[tuple[int, int, int]] = deque()

    def write(self, stream: str, text: str) -> None:
        """Hear what was written to a stream, be it lines or parts of them."""
        with self._lock:
            # Hidden before it is split: a secret may have lines.
            text = hidden(self._rests.get(stream, "") + text[-2 * MOST_CHARACTERS :])
            whole, _, rest = text.rpartition("\n")
            if "\n" in text:
                now = self._now()
                for line in whole.split("\n")[-MOST_LINES:]:
                    self._add(OutputLine(now, stream, _as_shown(line)))
            # Of what is written over and over, like a progress bar, the latest counts.
            rest = rest[rest.rfind("\r", 0, max(0, len(rest) - 1)) + 1 :]
            self._rests[stream] = rest[:_LONGEST_REST]
        if self._lines:
            self._heard()

    def extend(self, lines: Iterable[OutputLine]) -> None:
        """Hear whole lines."""
        with self._lock:
            for line in lines:
                self._add(line._replace(text=hidden(line.text)[:LONGEST_LINE]))
        if self._lines:
            self._heard()

    def end(self) -> None:
        """The run has ended: what it began is a line."""
        with self._lock:
            rests, self._rests = self._rests, {}
            for stream, rest in rests.items():
                if rest:
                    self._add(OutputLine(self._now(), stream, _as_shown(rest)))

    def _add(self, line: OutputLine) -> None:
        self._lines.append(line)
        self._size += len(line.text)
        while len(self._lines) > MOST_LINES or self._size > MOST_CHARACTERS:
            self._size -= len(self._lines.popleft().text)

    def take(self) -> list[OutputLine]:
        """Take the oldest lines, a portion; none when there are none."""
        taken: list[OutputLine] = []
        size = 0
        most_lines, most_characters = _PORTION
        with self._lock:
            while self._lines and len(taken) < most_lines and size < most_characters:
                line = self._lines.popleft()
                taken.append(line)
                size += len(line.text)
            self._size -= size
        return taken


def _as_shown(line: str) -> str:
    """A line as a terminal would leave it: what a carriage return has written over is gone."""
    return line.rstrip("\r").rpartition("\r")[2][:LONGEST_LINE]
