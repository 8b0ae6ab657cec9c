"""Doorbells: how processes of one machine wake schedulers that share a history, without anybody polling.

Each scheduler listens on a datagram socket in the user's temporary directory. Where there are no such
sockets, and between machines, schedulers look into the shared history every ten seconds instead.
"""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable

_ATTEMPTS = 5


def _bells(prefix: str) -> list[Path]:
    """The sockets whose names begin so, in this user's own folder."""
    try:
        found = list(_folder().iterdir()) if _is_ours(_folder()) else []
    except OSError:
        return []
    return [path for path in found if path.name.startswith(prefix) and path.is_socket()]


def _is_ours(folder: Path) -> bool:
    """Whether nobody else put it there: anybody may write to the temporary directory."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return True
    return stat.S_ISDIR(status.st_mode) and status.st_uid == _user()


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"sessionkit-{_user()}"


def _prefix(where: str) -> str:
    return hashlib.blake2b(os.path.realpath(where).encode(), digest_size=8).hexdigest()


def ring(where: str) -> int:
    """Wake all schedulers that use the history at `where`; how many there were."""
    woken = 0
    if not hasattr(socket, "AF_UNIX"):
        return woken
    for bell in _bells(_prefix(where)):
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


def _hang(bell: socket.socket, path: Path) -> None:
    """Bind to `path`; raises an OSError when that cannot be."""
    for _ in range(_ATTEMPTS):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not _is_ours(path.parent):
            raise PermissionError(f"{path.parent} is somebody else's")
        with suppress(FileNotFoundError):  # whoever took the last bell down removed the folder just now
            bell.bind(str(path))
            return
    raise FileNotFoundError(path)


def _sweep() -> None:
    """Take down the bells of processes that were killed."""
    for bell in _bells(""):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as caller, suppress(OSError):
            try:
                caller.connect(str(bell))
            except ConnectionRefusedError:
                bell.unlink()


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
        _sweep()
        bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            _hang(bell, self._path)
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
            self._path.parent.rmdir()  # unless there are others
