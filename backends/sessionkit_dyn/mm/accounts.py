"""Accounts, approved senders, recipients and suppressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit_dyn.mm.resource import Resource, ask, listed, mapping, pages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from sessionkit_dyn.mm.session import MMSession


class Account(Resource):
    """A mail account of the customer.

        Account("post@example.test", password="...", companyname="Acme", phone="+49 30 1234")     # creates it
        get_all_accounts()[0].data["companyname"]

    Args:
        username: Its mail address.
        session: The session to use instead of the current one.
        fields: What it is created with, by the service's names: `password`, `companyname`, `phone` (all three
            required), `address`, `city`, `state`, `zipcode`, `country`, `timezone`, `tracklinks`, ...
    """

    __slots__ = ("data", "username")

    def __init__(self, username: str, *, session: MMSession | None = None, **fields: Any) -> None:
        super().__init__(session)
        self.username = username
        answer = ask(session, "POST", "/accounts", username=username, **fields)
        self.data: dict[str, Any] = answer if isinstance(answer, dict) else {}

    @classmethod
    def of(cls, data: dict[str, Any], *, session: MMSession | None = None) -> Account:
        """The account that a listing tells of; asks nothing."""
        account = cls.__new__(cls)
        Resource.__init__(account, session)
        account.data = data
        account.username = str(data.get("username", ""))
        return account

    def delete(self) -> None:
        """Delete it."""
        ask(self.session, "POST", "/accounts/delete", username=self.username)

    def __repr__(self) -> str:
        return f"<Account {self.username}>"


def get_all_accounts(*, session: MMSession | None = None) -> list[Account]:
    """Every account of the customer; nothing is changed by listing them."""
    return [Account.of(row, session=session) for row in pages(session, "/accounts", "accounts", {}, 0)]


def get_xheaders(*, session: MMSession | None = None) -> dict[str, str]:
    """The names of the account's own headers: xheader1 to xheader4."""
    data = mapping(ask(session, "GET", "/accounts/xheaders"), "xheaders")
    return {name: str(value or "") for name, value in data.items()}


def set_xheaders(*names: str, session: MMSession | None = None) -> dict[str, str]:
    """Name the account's own headers, at most four: `set_xheaders("X-campaign", "X-batch")`."""
    given = {f"xheader{number}": name for number, name in enumerate(names, 1)}
    return mapping(ask(session, "POST", "/accounts/xheaders", **given), "xheaders")


class ApprovedSender(Resource):
    """An address that may send.

    >>> ApprovedSender("news@example.test", seeding=0)       # approves it
    >>> ApprovedSender.of("news@example.test").status

    Args:
        emailaddress: The address.
        seeding: 1 to send copies to the service's own test addresses.
        session: The session to use instead of the current one.
    """

    __slots__ = ("emailaddress",)

    def __init__(
        self, emailaddress: str, seeding: int | None = None, *, session: MMSession | None = None
    ) -> None:
        super().__init__(session)
        self.emailaddress = emailaddress
        ask(session, "POST", "/senders", emailaddress=emailaddress, seeding=seeding)

    @classmethod
    def of(cls, emailaddress: str, *, session: MMSession | None = None) -> ApprovedSender:
        """A sender that is approved already; asks nothing."""
        sender = cls.__new__(cls)
        Resource.__init__(sender, session)
        sender.emailaddress = emailaddress
        return sender

    @property
    def details(self) -> dict[str, Any]:
        """Everything the service says of it: seeding, dkim, ..."""
        return mapping(ask(self.session, "GET", "/senders/details", emailaddress=self.emailaddress), "sender")

    @property
    def status(self) -> bool:
        """Whether it is ready to send."""
        data = mapping(ask(self.session, "GET", "/senders/status", emailaddress=self.emailaddress), "sender")
        return str(data.get("ready", "0")) == "1"

    @property
    def seeding(self) -> int:
        """Whether copies go to the service's own test addresses: 0 or 1."""
        return int(self.details.get("seeding") or 0)

    @seeding.setter
    def seeding(self, value: int) -> None:
        ask(self.session, "POST", "/senders", emailaddress=self.emailaddress, seeding=value)

    def set_dkim(self, name: str) -> dict[str, Any]:
        """Sign its mail by DKIM; returns the record to publish: dkimrecord, dkimval."""
        args = {"emailaddress": self.emailaddress, "dkim": name}
        return mapping(ask(self.session, "POST", "/senders/dkim", **args), "dkim")

    def delete(self) -> None:
        """Let it send no more."""
        ask(self.session, "POST", "/senders/delete", emailaddress=self.emailaddress)

    def __repr__(self) -> str:
        return f"<ApprovedSender {self.emailaddress}>"


def get_all_senders(start_index: int = 0, *, session: MMSession | None = None) -> list[ApprovedSender]:
    """Every approved sender, from number `start_index` on."""
    found = pages(session, "/senders", "senders", {}, start_index)
    return [ApprovedSender.of(str(row.get("emailaddress", "")), session=session) for row in found]


class Recipient(Resource):
    """One or more addresses that are sent to.

    >>> Recipient("kim@example.test").status
    {'kim@example.test': 'active'}

    Args:
        emailaddress: One address or several.
        session: The session to use instead of the current one.
    """

    __slots__ = ("addresses",)

    def __init__(self, emailaddress: str | Iterable[str], *, session: MMSession | None = None) -> None:
        super().__init__(session)
        self.addresses = [emailaddress] if isinstance(emailaddress, str) else list(emailaddress)

    @property
    def status(self) -> dict[str, str]:
        """Each address, and "active" or "inactive"."""
        data = ask(self.session, "GET", "/recipients/status", emailaddress=self.addresses)
        return {str(row.get("emailaddress")): str(row.get("status")) for row in listed(data, "recipients")}

    def activate(self) -> None:
        """Let them be sent to again."""
        ask(self.session, "POST", "/recipients/activate", emailaddress=self.addresses)


class Suppression(Resource):
    """One or more addresses that are not sent to any more.

    >>> Suppression.add("gone@example.test")
    >>> Suppression("gone@example.test").activate()

    Args:
        emailaddress: One address or several; making the object asks nothing.
        session: The session to use instead of the current one.
    """

    __slots__ = ("addresses",)

    def __init__(self, emailaddress: str | Iterable[str], *, session: MMSession | None = None) -> None:
        super().__init__(session)
        self.addresses = [emailaddress] if isinstance(emailaddress, str) else list(emailaddress)

    @classmethod
    def add(cls, emailaddress: str | Iterable[str], *, session: MMSession | None = None) -> Suppression:
        """Send them nothing from now on."""
        suppression = cls(emailaddress, session=session)
        ask(session, "POST", "/suppressions", emailaddress=suppression.addresses)
        return suppression

    def activate(self) -> None:
        """Send to them again."""
        ask(self.session, "POST", "/suppressions/activate", emailaddress=self.addresses)


def get_all_suppressions(
    startdate: date | str | None = None,
    enddate: date | str | None = None,
    startindex: int = 0,
    *,
    session: MMSession | None = None,
) -> Iterator[dict[str, Any]]:
    """Every suppression between two days, asked for page by page: emailaddress, reasontype, suppresstime."""
    args = {"startdate": startdate, "enddate": enddate}
    return pages(session, "/suppressions", "suppressions", args, startindex)


def count_suppressions(
    startdate: date | str | None = None,
    enddate: date | str | None = None,
    *,
    session: MMSession | None = None,
) -> int:
    """How many suppressions there are between two days."""
    data = ask(session, "GET", "/suppressions/count", startdate=startdate, enddate=enddate)
    return int(mapping(data, "count").get("count") or 0)
