"""What became of the mail: sent, delivered, bounced, complained about, opened, clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sessionkit_dyn.mm.resource import Resource, ask, mapping, pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from sessionkit_dyn.mm.session import MMSession


class Report(Resource):
    """Mail between two moments; iterating over it asks for page after page.

    >>> for entry in Delivered(datetime(2026, 1, 1)): print(entry["emailaddress"])
    >>> Bounce(datetime(2026, 1, 1)).count

    Args:
        starttime: From when: a `datetime` (UTC if it has no zone), or ISO 8601.
        endtime: Until when; None is now.
        startindex: How many entries to leave out.
        sender: Only mail from this address.
        xheaders: Only mail with these headers: `{"X-demo": "1"}`.
        session: The session to use instead of the current one.
    """

    __slots__ = ("args", "startindex")

    name: ClassVar[str]

    def __init__(
        self,
        starttime: datetime | str,
        endtime: datetime | str | None = None,
        startindex: int = 0,
        sender: str | None = None,
        xheaders: Mapping[str, Any] | None = None,
        *,
        session: MMSession | None = None,
    ) -> None:
        super().__init__(session)
        self.startindex = startindex
        self.args: dict[str, Any] = {
            "starttime": starttime,
            "endtime": endtime,
            "sender": sender,
            "xheaders": xheaders,
        }

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return pages(self._given, f"/reports/{self.name}", self.name, self.args, self.startindex)

    @property
    def count(self) -> int:
        """How many there are."""
        return self._count("/count/")

    def _count(self, which: str) -> int:
        data = ask(self.session, "GET", f"/reports/{self.name}{which}", **self.args)
        return int(mapping(data, "count").get("count") or 0)


class Sent(Report):
    """Mail that was accepted for sending."""

    name = "sent"


class Delivered(Report):
    """Mail that arrived."""

    name = "delivered"


class Bounce(Report):
    """Mail that came back."""

    name = "bounces"


class Complaint(Report):
    """Mail that was reported as unwanted."""

    name = "complaints"


class Issue(Report):
    """Mail that was not sent, and why."""

    name = "issues"


class _Reaction(Report):
    """What recipients did; each can be counted once.

    Args:
        domain: Only recipients of this domain.
        recipient: Only this recipient.
        others: See `Report`.
    """

    def __init__(
        self,
        starttime: datetime | str,
        endtime: datetime | str | None = None,
        startindex: int = 0,
        sender: str | None = None,
        xheaders: Mapping[str, Any] | None = None,
        domain: str | None = None,
        recipient: str | None = None,
        *,
        session: MMSession | None = None,
    ) -> None:
        super().__init__(starttime, endtime, startindex, sender, xheaders, session=session)
        self.args |= {"domain": domain, "recipient": recipient}

    @property
    def unique(self) -> Iterator[dict[str, Any]]:
        """Every recipient once."""
        uri = f"/reports/{self.name}/unique"
        return pages(self._given, uri, self.name, self.args, self.startindex)

    @property
    def unique_count(self) -> int:
        """How many recipients there are."""
        return self._count("/count/unique")


class Opens(_Reaction):
    """Mail that was opened."""

    name = "opens"


class Clicks(_Reaction):
    """Links that were clicked."""

    name = "clicks"
