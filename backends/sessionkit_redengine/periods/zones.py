"""Between instants (seconds since the epoch, UTC) and what the clock on the wall shows."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sessionkit.errors import ConfigurationError

# Beyond this, a date has no room left for "the next year": nothing is ever due there.
LAST_INSTANT = datetime(9990, 1, 1, tzinfo=timezone.utc).timestamp()
FIRST_INSTANT = datetime(10, 1, 1, tzinfo=timezone.utc).timestamp()
_LOCALTIME = Path("/etc/localtime")


def zone_of(value: tzinfo | str | None) -> tzinfo:
    """The time zone meant by a `tzinfo`, a name such as "Europe/Helsinki", or None (this machine's).

    Raises:
        ConfigurationError: when there is no such zone.
    """
    if value is None:
        return local_zone()
    if isinstance(value, tzinfo):
        return value
    if isinstance(value, str):
        return _named(value)
    raise ConfigurationError(f"A time zone is a name or a tzinfo, not {type(value).__name__}.")


def local_zone() -> tzinfo:
    """This machine's zone with its daylight-saving rules: `$TZ`, else the system's setting, else UTC."""
    name = os.environ.get("TZ", "").lstrip(":")
    if name:
        return _named(name)
    return _system_zone()


@lru_cache(maxsize=1)
def _system_zone() -> tzinfo:
    if _LOCALTIME.exists():
        _, found, name = str(_LOCALTIME.resolve()).partition("zoneinfo/")
        if found:
            return _named(name)
        with _LOCALTIME.open("rb") as stream:
            return ZoneInfo.from_file(stream, key="localtime")
    try:
        import tzlocal  # noqa: PLC0415 - only Windows needs it, and only there it is required
    except ImportError:
        return timezone.utc
    found_zone: tzinfo = tzlocal.get_localzone()
    return found_zone


@lru_cache(maxsize=64)
def _named(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"There is no time zone {name!r}.", hint='use a name such as "Europe/Helsinki" or "UTC"'
        ) from error


def wall(instant: float, zone: tzinfo) -> datetime:
    """What the wall shows at an instant, without a zone attached."""
    return datetime.fromtimestamp(instant, zone).replace(tzinfo=None, fold=0)


def instant(shown: datetime, zone: tzinfo) -> float:
    """The first instant at which the wall shows this.

    A time that daylight saving leaves out (02:30 when 02:00 becomes 03:00) is as long after the change as
    it would have been after the hour left out.
    """
    return shown.replace(tzinfo=zone, fold=0).timestamp()


def offset(at: float, zone: tzinfo) -> float:
    """Seconds that the wall is ahead of UTC at an instant."""
    ahead = datetime.fromtimestamp(at, zone).utcoffset()
    return (ahead or timedelta()).total_seconds()


def change(after: float, before: float, zone: tzinfo) -> float:
    """The instant in `(after, before]`, to the second, from which the wall's offset is that of `before`."""
    final = offset(before, zone)
    low, high = after, before
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if offset(middle, zone) == final else (middle, high)
    return high
