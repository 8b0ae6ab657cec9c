"""Which process a run belongs to, and whether that process still lives."""

from __future__ import annotations

import os
import platform
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

#: Seconds after which a scheduler on another machine that gave no sign of life counts as gone.
LEASE = 120.0
#: Seconds between two signs of life.
BEAT = 30.0


class Owner(NamedTuple):
    """A scheduler: where it runs, and since when, so that a process id used again is not mistaken for it."""

    id: str
    host: str
    pid: int
    since: str

    @classmethod
    def here(cls) -> Owner:
        """This process, as a new scheduler."""
        return cls(uuid4().hex, machine(), os.getpid(), process_start(os.getpid()) or "")

    def alive(self, beat: float, now: float) -> bool:
        """Whether it is there: asked of the system on this machine, by its last sign of life on others."""
        if self.host != machine():
            return now - beat < LEASE
        since = process_start(self.pid)
        return since is not None and since == self.since


@lru_cache(maxsize=1)
def machine() -> str:
    """This machine until its next start."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    suffix = boot.read_text().strip() if boot.exists() else ""
    return f"{platform.node()}/{suffix}"


def process_start(pid: int) -> str | None:
    """When a process of this machine started, in the system's words; "" if it does not tell, None if gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _there(pid)
    except OSError:
        return ""
    # Counted after the program's name, which is in brackets and may contain anything.
    fields = status.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def _there(pid: int) -> str | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return ""
    return ""
