"""Doorbells: how processes of one machine wake schedulers that share a history, without anybody polling.

Each scheduler listens on a datagram socket in the user's temporary directory. Where there are no such
sockets, and between machines, schedulers look into the shared history every ten seconds instead.
"""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable


def _folder() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir()) / f"sessionkit-{user}"


def _prefix(where: str) -> str:
    return hashlib.blake2b(os.path.realpath(where).encode(), digest_size=8).hexdigest()


def ring(where: str) -> int:
    """Wake all schedulers that use the history at `where`; how many there were."""
    woken = 0
    if not hasattr(socket, "AF_UNIX"):
        return woken
    for bell in _folder().glob(f"{_prefix(where)}-*"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as caller:
            caller.setblocking(False)
            try:
                caller.sendto(b"!", str(bell))
            except BlockingIOError:
                woken += 1  # it has not answered earlier rings yet, and will
            except OSError:
                with suppress(OSError):  # whoever hung it is gone
                    bell.unlink()
            else:
                woken += 1
    return woken


class Doorbell:
    """A bell for the history at `where`: calls `rung` from a thread of its own.

    Args:
        where: The history's file.
        rung: What to call.
    """

    def __init__(self, where: str, rung: Callable[[], None]) -> None:
        self._rung = rung
        self._socket: socket.socket | None = None
        self._path = _folder() / f"{_prefix(where)}-{uuid4().hex[:8]}"
        if not hasattr(socket, "AF_UNIX"):
            return
        bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            _folder().mkdir(mode=0o700, exist_ok=True)
            bell.bind(str(self._path))
        except OSError:  # a temporary directory with too long a name, or that is not ours
            bell.close()
            return
        self._socket = bell
        self._thread = threading.Thread(
            target=self._listen, args=(bell,), name="redengine-doorbell", daemon=True
        )
        self._thread.start()

    def _listen(self, bell: socket.socket) -> None:
        with bell:
            while bell.recv(16) == b"!":
                self._rung()

    def close(self) -> None:
        """Take it down."""
        if self._socket is None:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as caller, suppress(OSError):
            caller.settimeout(1.0)
            caller.sendto(b".", str(self._path))
            self._thread.join(1.0)
        self._socket = None
        with suppress(OSError):
            self._path.unlink()
