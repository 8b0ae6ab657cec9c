"""The ways in which a scheduler starts again."""

from __future__ import annotations

import os
import sys


def again(how: str) -> bool:
    """Start again; whether the scheduler is to go on in this process."""
    if how == "recall":
        return True
    command = [sys.executable, *sys.argv]
    if how == "replace":
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(sys.executable, command)  # noqa: S606 - this program, again
    import subprocess  # noqa: PLC0415 - ten milliseconds that few schedulers need

    fresh = how == "fresh"
    # A terminal session of its own: what ends this one does not end that.
    flags = getattr(subprocess, "CREATE_NEW_CONSOLE", 0) if fresh else 0
    subprocess.Popen(command, creationflags=flags, start_new_session=fresh and os.name != "nt")  # noqa: S603 - this program, again
    return False
