"""Reports: who changed what, how much was asked, who may do what."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from sessionkit_dyn.calls import path
from sessionkit_dyn.resource import ask, mapping, plain_name, rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sessionkit_dyn.session import DynectSession

Moment = datetime | int | float | str


def timestamp(moment: Moment) -> int:
    """Seconds since the epoch; a `datetime` without a zone is UTC.

    >>> timestamp(datetime(2026, 1, 1))
    1767225600
    """
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return int(aware.timestamp())
    return int(moment)


def get_zone_notes(
    zone_name: str,
    offset: int | None = None,
    limit: int | None = None,
    *,
    session: DynectSession | None = None,
) -> list[dict[str, Any]]:
    """What was noted when a zone was published, latest first: zone, serial, type, note, timestamp, user_name.

    Args:
        zone_name: The zone.
        offset: How many to leave out.
        limit: How many at most (1,000).
        session: The session to use instead of the current one.
    """
    return rows(
        _report("ZoneNoteReport", session, zone=plain_name(zone_name), offset=offset, limit=limit), "notes"
    )


def get_qps(
    start_ts: Moment,
    end_ts: Moment | None = None,
    breakdown: str | Sequence[str] | None = None,
    hosts: str | Sequence[str] | None = None,
    rrecs: str | Sequence[str] | None = None,
    zones: str | Sequence[str] | None = None,
    *,
    session: DynectSession | None = None,
) -> str:
    """Queries in steps of 300 s, as CSV: "Timestamp,[Hosts|...,]Queries".

    Args:
        start_ts: From when.
        end_ts: Until when; None is now.
        breakdown: "hosts", "rrecs" or "zones": a line for each of them.
        hosts: Only these hosts.
        rrecs: Only these record types.
        zones: Only these zones.
        session: The session to use instead of the current one.
    """
    end = timestamp(end_ts) if end_ts is not None else None
    lists = {"breakdown": breakdown, "hosts": hosts, "rrecs": rrecs, "zones": zones}
    given = {name: [value] if isinstance(value, str) else value for name, value in lists.items()}
    data = _report("QPSReport", session, start_ts=timestamp(start_ts), end_ts=end, **given)
    return str(mapping(data, "queries").get("csv", ""))


def get_check_permission(
    permission: str | Sequence[str], zone_name: str | None = None, *, session: DynectSession | None = None
) -> dict[str, Any]:
    """Which of some permissions the signed-in user has: allowed, forbidden, admin_override."""
    names = [permission] if isinstance(permission, str) else list(permission)
    return mapping(
        _report("CheckPermissionReport", session, permission=names, zone_name=zone_name), "permissions"
    )


def get_dnssec_timeline(
    zone_name: str,
    start_ts: Moment | None = None,
    end_ts: Moment | None = None,
    *,
    session: DynectSession | None = None,
) -> Any:
    """What happened to a zone's DNSSEC keys, as the service tells it."""
    start = None if start_ts is None else timestamp(start_ts)
    end = None if end_ts is None else timestamp(end_ts)
    return _report("DNSSECTimelineReport", session, zone=plain_name(zone_name), start_ts=start, end_ts=end)


def get_rttm_log(
    zone_name: str,
    fqdn: str,
    start_ts: Moment,
    end_ts: Moment | None = None,
    *,
    session: DynectSession | None = None,
) -> Any:
    """The log of a node's real-time traffic manager, as the service tells it."""
    end = None if end_ts is None else timestamp(end_ts)
    names = {"zone": plain_name(zone_name), "fqdn": plain_name(fqdn)}
    return _report("RTTMLogReport", session, **names, start_ts=timestamp(start_ts), end_ts=end)


def get_rttm_rrset(zone_name: str, fqdn: str, ts: Moment, *, session: DynectSession | None = None) -> Any:
    """The records that a node's real-time traffic manager answered with at a moment."""
    names = {"zone": plain_name(zone_name), "fqdn": plain_name(fqdn)}
    return _report("RTTMRRSetReport", session, **names, ts=timestamp(ts))


def _report(resource: str, session: DynectSession | None, **args: Any) -> Any:
    return ask(session, "POST", path(resource), _given(args))


def _given(args: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in args.items() if value is not None}
