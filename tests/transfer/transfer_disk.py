"""The disk of `transfer_model`: each thing that is done to it is a point, and it may be full.

Whoever is killed does nothing more to it: only the descriptors close, as the system would close them.
"""

import errno
import fcntl
import os
from functools import partial
from pathlib import Path

from turns import Killed

LONGEST_WRITE = 48


class Disk:
    """Takes the place of `os` and `fcntl`."""

    LOCK_EX, LOCK_NB = fcntl.LOCK_EX, fcntl.LOCK_NB

    def __init__(self, world):
        self._world = world

    def __getattr__(self, name):
        return getattr(os, name)

    def patched(self):
        """What stands for what in `sessionkit.transfer.part`."""
        return {"os": self, "fcntl": self, "Path": partial(_Path, disk=self)}

    @property
    def _person(self):
        return self._world.turns.running.process

    def point(self, *, takes_room=False):
        turns = self._world.turns
        turns.point()
        if turns.running is not None and turns.running.unwinding:
            raise Killed
        if takes_room and self._world.full:
            raise OSError(errno.ENOSPC, "the disk is full")

    def open(self, path, flags, mode):
        self.point()
        if self._world.full and not Path(path).exists():
            raise OSError(errno.ENOSPC, "the disk is full")
        file = os.open(path, flags, mode)
        self._person.files.add(file)
        return file

    def close(self, file):
        self._person.files.discard(file)
        os.close(file)

    def flock(self, file, how):
        self.point()
        fcntl.flock(file, how)

    def write(self, file, data):
        self.point(takes_room=True)
        return os.write(file, data[:LONGEST_WRITE])

    def ftruncate(self, file, size):
        self.point()
        os.ftruncate(file, size)

    def fsync(self, file):
        self.point(takes_room=True)

    def replace(self, source, target):
        self.point(takes_room=True)
        Path(source).replace(target)
        self._person.watch(Path(target))
        self.point()


class _Path:
    def __init__(self, path, disk):
        self._path, self._disk = Path(path), disk
        self.parent = self._path.parent

    def unlink(self, *, missing_ok=False):
        self._disk.point()
        self._path.unlink(missing_ok=missing_ok)

    def read_text(self, encoding):
        self._disk.point()
        return self._path.read_text(encoding)

    def write_text(self, text, encoding):
        self._disk.point()
        self._path.write_text(text[: len(text) // 2], encoding)
        self._disk.point(takes_room=True)
        self._path.write_text(text, encoding)
