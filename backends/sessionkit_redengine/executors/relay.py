"""In a worker process: how what a task says reaches the scheduler while the task runs."""

from __future__ import annotations

import pickle
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionkit_redengine.capture import capture_all
from sessionkit_redengine.output import RunOutput
from sessionkit_redengine.pump import Pump

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_PAUSE = 0.1  # seconds between two messages


class Relay:
    """Hears all that is said in this process, and sends it ahead of each answer. It has one run at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.output = RunOutput(self._hear, time.time)
        self._pump = Pump(self._send, _PAUSE)
        self._lock = threading.Lock()
        self._busy = False
        capture_all(self)

    def _hear(self) -> None:
        self._pump.wake()

    def begin(self) -> None:
        """A run begins; what threads of the one before have said since it ended is nobody's."""
        with self._lock:
            self.output.end()
            while self.output.take():
                pass
            self._busy = True

    def answer(self, answer: bytes) -> None:
        """Send what is left of what the run said, and its answer. After that the process says nothing."""
        for stream in (sys.stdout, sys.stderr):  # the process ends without asking them
            with suppress(Exception):
                stream.flush()
        self.output.end()
        with self._lock:
            self._busy = False
            self._send_lines()
            self._connection.send_bytes(answer)

    def _send(self) -> None:
        with self._lock, suppress(OSError):  # the parent has gone: so will this process
            if self._busy:
                self._send_lines()

    def _send_lines(self) -> None:
        while lines := self.output.take():
            self._connection.send_bytes(pickle.dumps(lines))
