"""Secondary zones: copies of zones whose masters are elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit_dyn.calls import path
from sessionkit_dyn.resource import ask, mapping, plain_name
from sessionkit_dyn.things import Attribute, Thing, get_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionkit_dyn.session import DynectSession


class SecondaryZone(Thing):
    """A copy of a zone whose masters are elsewhere.

        SecondaryZone("example.test")                                 # reads it
        SecondaryZone("example.test", masters=["192.0.2.53"])         # creates it

    Args:
        zone: The zone's name.
        masters: Addresses of the name servers to copy from; creates it.
        contact_nickname: The contact to tell of trouble.
        tsig_key_name: The key that transfers are signed with.
        session: The session to use instead of the current one.
    """

    __slots__ = ()

    resource = "Secondary"
    key = "zone"

    masters = Attribute()
    contact_nickname = Attribute()
    tsig_key_name = Attribute()
    active = Attribute(writable=False)

    def __init__(
        self,
        zone: str,
        masters: Sequence[str] | None = None,
        contact_nickname: str | None = None,
        tsig_key_name: str | None = None,
        *,
        session: DynectSession | None = None,
    ) -> None:
        given = {"masters": masters, "contact_nickname": contact_nickname, "tsig_key_name": tsig_key_name}
        super().__init__(
            plain_name(zone), session=session, **{k: v for k, v in given.items() if v is not None}
        )

    @property
    def zone(self) -> str:
        """The zone's name."""
        return self._key

    @property
    def serial(self) -> int:
        """The serial of the copy; asks each time, for it changes by itself."""
        data = mapping(ask(self.session, "GET", path("Zone", self._key)), "zone")
        return int(data.get("serial") or 0)

    def activate(self) -> None:
        """Answer queries for it."""
        self.put({"activate": True})

    def deactivate(self) -> None:
        """Answer no queries for it."""
        self.put({"deactivate": True})

    def retransfer(self) -> None:
        """Copy it again from its masters."""
        self.put({"retransfer": True})


def get_all_secondary_zones(*, session: DynectSession | None = None) -> list[SecondaryZone]:
    """The account's secondary zones, in one call."""
    return get_all(SecondaryZone, session=session)
