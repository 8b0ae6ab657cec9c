"""The way of what runs say into the history: in batches, and not at all for those that say nothing."""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from sessionkit.clock import SYSTEM_CLOCK
from sessionkit_redengine.capture import start_capture, stop_capture
from sessionkit_redengine.errors import HistoryError
from sessionkit_redengine.output import MOST_CHARACTERS, MOST_LINES, OutputLine, Portion, RunOutput
from sessionkit_redengine.pump import Pump

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.runs import Run

_PAUSE = 0.25  # seconds between two batches
_MOST_UNWRITTEN = 100  # portions that wait for a history that cannot be written


class OutputWriter:
    """Writes what the runs of one session say into its history.

    The first line of a silence is written at once, what follows at most four times a second, and the rest
    before the run's end is recorded: after SIGKILL, no more than the last quarter of a second is missing.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._heard: dict[str, Run] = {}
        self._unwritten: deque[Portion] = deque(maxlen=_MOST_UNWRITTEN)
        self._lock = threading.Lock()  # of who writes into the history, which may take its time
        self._making = threading.Lock()
        self._listens = False
        self._pump: Pump | None = None
        self._failing = False

    def open(self) -> None:
        """Begin to listen, and to write while runs go on."""
        self._listens = self._session.config.keep_output
        if self._listens:
            start_capture()
        self._pump = Pump(self.flush, _PAUSE)

    def close(self) -> None:
        """Listen no more, and write the rest."""
        if self._listens:
            stop_capture()
        if self._pump is not None:
            self._pump.close()
        self.flush()

    def of(self, run: Run) -> RunOutput | None:
        """What hears a run; made when it first says something. None if the session keeps no output."""
        if not self._session.config.keep_output:
            return None
        with self._making:
            if run.said is None:
                run.said = RunOutput(partial(self._hear, run), self._session.clock.time)
            return run.said

    def _hear(self, run: Run) -> None:
        self._heard[run.id] = run
        if self._pump is not None:
            self._pump.wake()

    def receive(self, run: Run, lines: Sequence[OutputLine]) -> None:
        """Hear what a run has said in another process."""
        output = run.output
        if output is not None:
            clock = self._session.clock
            if clock is not SYSTEM_CLOCK:  # that process knows no time but the real one
                lines = [line._replace(created=clock.time()) for line in lines]
            output.extend(lines)

    def finish(self, run: Run, output: RunOutput) -> None:
        """A run that said something has ended: write what is left of it."""
        output.end()
        self._heard[run.id] = run
        self.flush()

    def flush(self) -> None:
        """Write what was said until now."""
        with self._lock:
            while self._heard:
                _, run = self._heard.popitem()
                if run.said is not None:
                    self._unwritten.extend(self._portions(run, run.said))
            if self._unwritten:
                self._write()

    def _write(self) -> None:
        try:
            self._session.history.add_output(tuple(self._unwritten))
        except HistoryError as error:
            if not self._failing:
                self._failing = True
                self._session.report(f"what tasks say is not recorded yet: {error}")
            return
        self._failing = False
        self._unwritten.clear()

    def _portions(self, run: Run, output: RunOutput) -> Iterator[Portion]:
        known = output.portions
        while lines := output.take():
            number = known[-1][0] + 1 if known else 1
            known.append((number, len(lines), sum(len(line.text) for line in lines)))
            while _fits_without_first(known):
                known.popleft()
            yield Portion(self._session.name, run.task.name, run.id, run.started, number, known[0][0], lines)


def _fits_without_first(portions: deque[tuple[int, int, int]]) -> bool:
    """Whether the portions after the first are as many lines or characters as are kept."""
    lines = sum(portion[1] for portion in portions) - portions[0][1]
    characters = sum(portion[2] for portion in portions) - portions[0][2]
    return lines >= MOST_LINES or characters >= MOST_CHARACTERS
