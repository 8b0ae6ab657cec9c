"""Wall times of tests."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo


def instant(text, zone="UTC"):
    """The epoch seconds of a wall time; "second" in front means the later of two."""
    second, _, rest = text.rpartition(" ")
    moment = datetime.fromisoformat(rest).replace(tzinfo=ZoneInfo(zone), fold=1 if second else 0)
    return moment.timestamp()
