"""What is created, read, changed and deleted alike: keys, contacts, users, groups, name servers.

A class says which resource it is and which attributes it has; nothing else differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sessionkit_dyn import errors
from sessionkit_dyn.calls import path
from sessionkit_dyn.resource import Resource, ask, mapping, odd, rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from sessionkit_dyn.session import DynectSession


class Attribute:
    """What the service tells of a thing, and takes when it is set: `email = Attribute()`.

    Args:
        wire: Its name on the wire, where that is another.
        writable: Whether it can be set.
    """

    def __init__(self, wire: str = "", *, writable: bool = True) -> None:
        self.wire = wire
        self.writable = writable

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.wire = self.wire or name

    def __get__(self, thing: Thing | None, owner: type) -> Any:
        return self if thing is None else thing.data.get(self.wire)

    def __set__(self, thing: Thing, value: Any) -> None:
        thing.update(**{self.name: value})


class Thing(Resource):
    """Something with a name of its own at the service.

        Contact("ann")                               # reads it
        Contact("bob", email="bob@example.test")     # creates it
        contact.email = "b@example.test"             # changes it
        contact.update(email=..., city=...)          # changes several attributes in one call

    Attributes are what was read or written last; `refresh()` reads again.

    Args:
        key: Its name.
        session: The session to use instead of the current one.
        fields: Its attributes; any of them creates it.

    Raises:
        DynectGetError: there is none of this name (also a `NotFound`).
        DynectCreateError: it cannot be created, or is there already (also a `Conflict`).
        DynectInvalidArgumentError: an attribute that it does not have; nothing was sent.
    """

    __slots__ = ("_data", "_key")

    resource: ClassVar[str]
    key: ClassVar[str]
    #: How the key is changed; "" when it cannot be.
    rename: ClassVar[str] = ""

    def __init__(self, key: str, *, session: DynectSession | None = None, **fields: Any) -> None:
        super().__init__(session)
        self._key = key
        self._data: dict[str, Any] = {}
        if not fields:
            self.refresh()
            return
        body = self.body(fields)
        self._take(ask(self.session, "POST", self._uri(), body), body)

    @classmethod
    def of(cls, data: dict[str, Any], *, session: DynectSession | None = None) -> Self:
        """The thing that a listing tells of; asks nothing."""
        thing: Self = cls.__new__(cls)
        Resource.__init__(thing, session)
        thing._data = data
        thing._key = str(data.get(cls.key, ""))
        return thing

    @classmethod
    def body(cls, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Attributes by the names of the wire; None is left out.

        Raises:
            DynectInvalidArgumentError: naming one that cannot be set.
        """
        known = {
            name: each
            for base in cls.__mro__
            for name, each in vars(base).items()
            if isinstance(each, Attribute)
        }
        for name, value in fields.items():
            if name not in known or not known[name].writable:
                settable = [each.name for each in known.values() if each.writable]
                problem = "can only be read" if name in known else "is unknown"
                raise errors.DynectInvalidArgumentError(name, type(value).__name__, settable, problem=problem)
        return {known[name].wire: value for name, value in fields.items() if value is not None}

    @property
    def data(self) -> dict[str, Any]:
        """What the service told last."""
        return self._data

    @property
    def name(self) -> str:
        """What it is known by."""
        return self._key

    def refresh(self) -> Self:
        """Read it again; returns itself."""
        self._data = mapping(ask(self.session, "GET", self._uri()), self.resource)
        return self

    def update(self, **fields: Any) -> None:
        """Change some attributes in one call; the others stay as they are.

        Raises:
            DynectUpdateError: the service refused.
        """
        self.put(self.body(fields))

    def put(self, body: Mapping[str, Any]) -> None:
        """Change it by what the wire calls so, such as `{"activate": True}`."""
        self._take(ask(self.session, "PUT", self._uri(), body), {})

    def delete(self) -> None:
        """Delete it."""
        ask(self.session, "DELETE", self._uri())

    def _take(self, answer: Any, sent: Mapping[str, Any]) -> None:
        told = answer if isinstance(answer, dict) else {}
        self._data = {**self._data, **sent, **told}
        self._key = str(self._data.get(self.key) or self._key)

    def _uri(self, *more: object) -> str:
        return path(self.resource, self._key, *more)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._key}>"


def get_all(
    cls: type[Any], search: Mapping[str, Any] | None = None, *, session: DynectSession | None = None
) -> list[Any]:
    """All things of a class, in one call; with `search` those whose attributes are all as it says.

    Args:
        cls: A subclass of `Thing`.
        search: Attributes and what they must be, letters of either case alike.
        session: The session to use instead of the current one.
    """
    data = ask(session, "GET", path(cls.resource), {"detail": "Y"})
    if not isinstance(data, list):
        raise odd(cls.resource, "a list", data)
    wanted = cls.body(search or {}) if cls.key not in (search or {}) else dict(search or {})
    return [
        cls.of(row, session=session)
        for row in rows(data, cls.resource)
        if all(str(row.get(name, "")).lower() == str(value).lower() for name, value in wanted.items())
    ]
