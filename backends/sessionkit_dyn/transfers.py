"""Transfers to and from other name servers: their keys, and who may ask for a zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sessionkit.secrets import register
from sessionkit_dyn.resource import plain_name
from sessionkit_dyn.things import Attribute, Thing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sessionkit_dyn.session import DynectSession


class TSIG(Thing):
    """A key that signs transfers.

    >>> TSIG("transfer-key", secret="c2VjcmV0", algorithm="hmac-sha256")

    Args:
        name: The key's name.
        secret: Base64; creates the key.
        algorithm: Such as "hmac-sha256".
        session: The session to use instead of the current one.
    """

    __slots__ = ()

    resource = "TSIGKey"
    key = "name"

    secret = Attribute()
    algorithm = Attribute()

    def __init__(
        self,
        name: str,
        secret: str | None = None,
        algorithm: str | None = None,
        *,
        session: DynectSession | None = None,
    ) -> None:
        if secret is not None:
            register(secret)
        given = {"secret": secret, "algorithm": algorithm}
        super().__init__(name, session=session, **{k: v for k, v in given.items() if v is not None})


class ExternalNameserverEntry(NamedTuple):
    """A server that may transfer a zone.

    Attributes:
        address: Its address.
        notifies: Whether it is told of changes: "Y" or "N".
    """

    address: str
    notifies: str = "N"


class ExternalNameserver(Thing):
    """Who may transfer a zone, and is told when it changes.

    >>> ExternalNameserver("example.test", hosts=[ExternalNameserverEntry("192.0.2.53", "Y")])

    Args:
        zone: The zone's name.
        deny: "Y" refuses transfers to everyone.
        hosts: Entries, mappings of the same, or addresses.
        active: "Y" or "N".
        tsig_key_name: The key that transfers are signed with.
        session: The session to use instead of the current one.
    """

    __slots__ = ()

    resource = "ExtNameserver"
    key = "zone"

    deny = Attribute()
    hosts = Attribute()
    active = Attribute()
    tsig_key_name = Attribute()

    def __init__(
        self,
        zone: str,
        deny: str | None = None,
        hosts: Iterable[ExternalNameserverEntry | Mapping[str, Any] | str] | None = None,
        active: str | None = None,
        tsig_key_name: str | None = None,
        *,
        session: DynectSession | None = None,
    ) -> None:
        listed = None if hosts is None else [_host(host) for host in hosts]
        given = {"deny": deny, "hosts": listed, "active": active, "tsig_key_name": tsig_key_name}
        super().__init__(
            plain_name(zone), session=session, **{k: v for k, v in given.items() if v is not None}
        )


def _host(host: ExternalNameserverEntry | Mapping[str, Any] | str) -> dict[str, Any]:
    if isinstance(host, str):
        host = ExternalNameserverEntry(host)
    return host._asdict() if isinstance(host, ExternalNameserverEntry) else dict(host)
