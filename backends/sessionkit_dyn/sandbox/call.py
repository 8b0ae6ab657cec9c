"""One call of a client as the handlers see it, and the forms in which values arrive."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sessionkit_dyn.record_types import integer
from sessionkit_dyn.sandbox.envelope import Answer, invalid, missing

if TYPE_CHECKING:
    import sqlite3

    from sessionkit.clock import Clock

_INTEGER = integer(-(2**53), 2**53)
_TRUE = {"true", "y", "yes", "1"}
_NAME = re.compile(r"(?=.{1,253}$)(?:[^\s./]{1,63}\.)*[^\s./]{1,63}")


@dataclass(slots=True)
class Call:
    """One call.

    Attributes:
        db: The sandbox's database, inside this call's transaction.
        clock: The sandbox's time.
        method: "GET", "POST", "PUT" or "DELETE".
        resource: The first part of the path: "Zone".
        parts: The rest of it, names without their trailing dot.
        args: The body's and the query's arguments together.
        ip: Where the client is.
        token: The session's token; "" while there is none.
        customer: The signed-in account.
        user: The signed-in user.
        fetched: What was brought from elsewhere before the transaction began.
    """

    db: sqlite3.Connection
    clock: Clock
    method: str
    resource: str
    parts: list[str]
    args: dict[str, Any] = field(default_factory=dict)
    ip: str = ""
    token: str = ""
    customer: str = ""
    user: str = ""
    fetched: Any = None

    def part(self, index: int) -> str:
        """A part of the path, or ""."""
        return self.parts[index] if index < len(self.parts) else ""

    def need(self, name: str) -> Any:
        """An argument that must be there."""
        value = self.args.get(name)
        if value is None or value == "":
            raise missing(name)
        return value

    def flag(self, name: str) -> bool:
        """An argument that means yes: true, "True", "Y", 1."""
        return str(self.args.get(name, "")).lower() in _TRUE

    def number(self, name: str, default: int) -> int:
        """An argument that is a whole number."""
        value = self.args.get(name)
        if value is None or value == "":
            return default
        try:
            return _INTEGER(value)
        except (ValueError, TypeError) as error:
            raise invalid(name, str(error)) from error

    def items(self, name: str) -> list[Any]:
        """An argument that is a list; a single value counts as a list of one."""
        value = self.args.get(name)
        if value is None:
            return []
        return value if isinstance(value, list) else [value]


#: Answers a call, inside its transaction; a `Refusal` undoes what it began.
Handler = Callable[[Call], Answer]

#: Resource -> method -> handler.
Routes = dict[str, dict[str, Handler]]


def plain_name(name: Any) -> str:
    """A domain name as the service keeps it: lower case, without the trailing dot."""
    return str(name).strip().lower().removesuffix(".")


def is_name(name: str) -> bool:
    """Whether this can be a domain name."""
    return _NAME.fullmatch(name) is not None


def yes_no(value: Any) -> str:
    """How the service writes a flag: "Y" or "N"."""
    return "Y" if str(value).lower() in _TRUE else "N"
