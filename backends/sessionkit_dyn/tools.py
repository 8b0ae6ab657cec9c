"""Renumbering: let a zone's address records point elsewhere."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from sessionkit_dyn import errors
from sessionkit_dyn.zones import Zone

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sessionkit_dyn.record import DNSRecord
    from sessionkit_dyn.session import DynectSession


def change_ip(
    zone: Zone | str,
    from_ip: str | Iterable[str],
    to: str | Iterable[str],
    v6: bool = False,
    publish: bool = False,
    *,
    session: DynectSession | None = None,
) -> list[DNSRecord]:
    """Change every address `from_ip` of a zone into `to`; returns the changed records.

    >>> change_ip("example.test", ["192.0.2.1", "192.0.2.2"], ["198.51.100.1", "198.51.100.2"], publish=True)

    Args:
        zone: The zone, or its name.
        from_ip: One address or several.
        to: Its new one, or as many new ones.
        v6: Whether they are IPv6 addresses, of AAAA records.
        publish: Whether to publish the zone afterwards.
        session: The session to use instead of the current one.

    Raises:
        DynectInvalidArgumentError: no addresses, or not as many new ones as old; nothing was sent.
    """
    old = [from_ip] if isinstance(from_ip, str) else list(from_ip)
    new = [to] if isinstance(to, str) else list(to)
    if len(old) != len(new):
        raise errors.DynectInvalidArgumentError(
            "to", new, problem=f"{len(old)} addresses need as many new ones"
        )
    return map_ips(zone, dict(zip(old, new, strict=True)), v6, publish, session=session)


def map_ips(
    zone: Zone | str,
    mapping: Mapping[str, str],
    v6: bool = False,
    publish: bool = False,
    *,
    session: DynectSession | None = None,
) -> list[DNSRecord]:
    """Change addresses of a zone as `mapping` says, old to new; returns the changed records.

    >>> map_ips("example.test", {"192.0.2.1": "198.51.100.1"}, publish=True)

    Args: see `change_ip`.
    """
    wanted = {_address(old, v6): _address(new, v6) for old, new in mapping.items()}
    place = Zone(zone, session=session) if isinstance(zone, str) else zone
    changed = []
    for record in place.get_all_records_by_type("AAAA" if v6 else "A"):
        new = wanted.get(str(record.rdata().get("address", "")).lower())
        if new is not None:
            record.update(address=new)
            changed.append(record)
    if publish:
        place.publish()
    return changed


def _address(value: str, v6: bool) -> str:
    try:
        return str(ipaddress.IPv6Address(value) if v6 else ipaddress.IPv4Address(value))
    except ValueError:
        kind = "IPv6" if v6 else "IPv4"
        raise errors.DynectInvalidArgumentError(
            "address", value, problem=f"must be an {kind} address"
        ) from None
