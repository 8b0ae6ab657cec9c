"""What each thread may set for itself."""

from __future__ import annotations

import threading


class Flags(threading.local):
    """One session's switches, each thread with its own; a new thread begins with the session's.

    Attributes:
        auto_populate: Load an attribute that is missing when it is read.
        record_operations: Record changes, to be committed.
    """

    def __init__(self, *, auto_populate: bool) -> None:
        self.auto_populate = auto_populate
        self.record_operations = True
