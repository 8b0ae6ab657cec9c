"""What tasks print and log, heard where it is said.

While a scheduler runs, `sys.stdout` and `sys.stderr` are `Tee`s: everything goes where it went before, and
what a run writes is heard as well. Which run that is, is known by context: of its thread or its coroutine,
and of what it hands to `asyncio.to_thread`. A thread that a task starts by itself is nobody's. A logging
handler that was made before holds the stream of before, so log records are heard when they are made.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol

from sessionkit import fork
from sessionkit.records import RecordLayer
from sessionkit_redengine.output import OutputLine, hidden

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sessionkit_redengine.output import RunOutput

_STREAMS: Final = ("stdout", "stderr")
_EMIT = logging.StreamHandler.emit.__code__
_FORMAT = logging.Formatter("%(levelname)s %(name)s: %(message)s")


class Speaker(Protocol):
    """Whoever says something: a run."""

    @property
    def output(self) -> RunOutput | None:
        """Where it is heard, or None if nobody wants to know."""


#: The run that this context belongs to.
SPEAKER: ContextVar[Speaker | None] = ContextVar("sessionkit_redengine_speaker", default=None)


def listening() -> RunOutput | None:
    """Where what is said here and now is heard, or None."""
    speaker = SPEAKER.get() or _ears.only
    return None if speaker is None else speaker.output


class Tee:
    """A stream, and whoever listens to what runs write to it."""

    def __init__(self, stream: Any, name: str) -> None:
        self.stream = stream
        self.source = name

    def write(self, text: str) -> Any:
        """Write to the stream, and let the run's listener hear it."""
        output = listening()
        # What a logging handler writes here was heard when the record was made.
        if output is not None and isinstance(text, str) and sys._getframe(1).f_code is not _EMIT:  # noqa: SLF001 - public by its documentation
            output.write(self.source, text)
        return self.stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _hear(record: logging.LogRecord) -> None:
    output = listening()
    if output is None:
        return
    try:
        text = hidden(_FORMAT.format(record))
    except Exception:  # noqa: BLE001 - arguments that do not fit the message: its handlers tell
        return
    record.exc_text = None  # the next formatter has its own way to show it
    output.extend([OutputLine(record.created, "log", line) for line in text.splitlines()])


class _Ears:
    """What of this process is listened to, and how often that was asked for."""

    def __init__(self) -> None:
        #: In a worker process, where everything is said by the one run that it has.
        self.only: Speaker | None = None
        self.lock = threading.Lock()
        self.users = 0
        self.layer: RecordLayer | None = None
        # `print` borrows `sys.stdout`: one that another thread replaces meanwhile must not go away.
        self._tees: deque[Tee] = deque(maxlen=16)

    def after_fork_in_child(self) -> None:
        """A child has no runs; streams that are `Tee`s stay, and do no more than pass on."""
        self.only = None
        self.lock = threading.Lock()
        self.users = 0
        SPEAKER.set(None)

    def open(self) -> None:
        """Listen."""
        with self.lock:
            self.users += 1
            for name in _STREAMS:
                stream = getattr(sys, name)
                if stream is not None and not isinstance(stream, Tee):
                    setattr(sys, name, self._tee(stream, name))
            if self.layer is None or not self.layer.is_on_top:
                self._take_off()  # or each record would be heard twice
                self.layer = RecordLayer(_hear)

    def _tee(self, stream: Any, name: str) -> Tee:
        made = next((tee for tee in self._tees if tee.stream is stream and tee.source == name), None)
        if made is None:
            made = Tee(stream, name)
            self._tees.append(made)
        return made

    def close(self) -> None:
        """Listen no more, once all have said so."""
        with self.lock:
            self.users -= 1
            if self.users:
                return
            for name in _STREAMS:
                stream = getattr(sys, name)
                if isinstance(stream, Tee):
                    setattr(sys, name, stream.stream)
            self._take_off()

    def _take_off(self) -> None:
        layer, self.layer = self.layer, None
        if layer is not None:
            layer.take_off()


_ears = _Ears()
fork.aware(_ears)


#: Listen to runs, in all threads of this process; and no more, once all that asked for it have said so.
start_capture = _ears.open
stop_capture = _ears.close


def capture_all(speaker: Speaker) -> None:
    """From now on, hear all that is said in this process as `speaker`'s."""
    _ears.only = speaker
    _ears.open()


@contextmanager
def speaking(speaker: Speaker) -> Iterator[None]:
    """What is said inside the block is said by `speaker`."""
    token = SPEAKER.set(speaker)
    try:
        yield
    finally:
        SPEAKER.reset(token)
