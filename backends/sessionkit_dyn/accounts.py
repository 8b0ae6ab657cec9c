"""Who may do what: users, contacts, permission groups, notifiers, access lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit.secrets import register
from sessionkit_dyn.calls import path
from sessionkit_dyn.resource import Resource, ask, rows
from sessionkit_dyn.things import Attribute, Thing, get_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sessionkit_dyn.session import DynectSession


class _Words:
    """A list of words that a thing holds, with a resource of its own: a user's permissions.

    Args:
        resource: Where words are added and removed.
        argument: What a whole new list is called on the wire.
    """

    def __init__(self, resource: str, argument: str) -> None:
        self.resource = resource
        self.argument = argument

    def add(self, owner: Thing, word: str) -> None:
        """One more."""
        ask(owner.session, "POST", path(self.resource, owner.name, word))

    def replace(self, owner: Thing, words: Iterable[str]) -> None:
        """These and no others."""
        ask(owner.session, "PUT", path(self.resource, owner.name), {self.argument: list(words)})

    def remove(self, owner: Thing, word: str) -> None:
        """One less."""
        ask(owner.session, "DELETE", path(self.resource, owner.name, word))


_USER_PERMISSIONS = _Words("UserPermissionEntry", "permissions")
_USER_GROUPS = _Words("UserGroupEntry", "groups")
_USER_ZONES = _Words("UserZoneEntry", "zones")
_GROUP_PERMISSIONS = _Words("PermissionGroupPermissionEntry", "permissions")
_GROUP_ZONES = _Words("PermissionGroupZoneEntry", "zones")
_GROUP_SUBGROUPS = _Words("PermissionGroupSubgroupEntry", "subgroups")


class User(Thing):
    """A user of the account.

    User("ann").block()
    User("bob", password="...", email="bob@example.test", first_name="Bob")       # creates him
    """

    __slots__ = ()

    resource = "User"
    key = "user_name"

    status = Attribute(writable=False)
    password = Attribute()
    email = Attribute()
    first_name = Attribute()
    last_name = Attribute()
    nickname = Attribute()
    organization = Attribute()
    phone = Attribute()
    address = Attribute()
    address_2 = Attribute()
    city = Attribute()
    country = Attribute()
    fax = Attribute()
    notify_email = Attribute()
    pager_email = Attribute()
    post_code = Attribute()
    website = Attribute()
    group_name = Attribute()
    permission = Attribute()
    zone = Attribute()
    forbid = Attribute()

    @classmethod
    def body(cls, fields: Mapping[str, Any]) -> dict[str, Any]:
        """See `Thing.body`; a password shows in no log."""
        if isinstance(fields.get("password"), str):
            register(fields["password"])
        return super().body(fields)

    def _take(self, answer: Any, sent: Mapping[str, Any]) -> None:
        super()._take(answer, {name: value for name, value in sent.items() if name != "password"})

    def block(self) -> None:
        """Let the user sign in no more."""
        self.put({"block": "True"})

    def unblock(self) -> None:
        """Let the user sign in again."""
        self.put({"unblock": "True"})

    def add_permission(self, permission: str) -> None:
        """Allow one more thing."""
        _USER_PERMISSIONS.add(self, permission)

    def replace_permissions(self, permissions: Iterable[str]) -> None:
        """Allow these things and no others."""
        _USER_PERMISSIONS.replace(self, permissions)

    def delete_permission(self, permission: str) -> None:
        """Allow one thing less."""
        _USER_PERMISSIONS.remove(self, permission)

    def add_permissions_group(self, group: str) -> None:
        """Make the user a member of a group."""
        _USER_GROUPS.add(self, group)

    def replace_permissions_groups(self, groups: Iterable[str]) -> None:
        """Make the user a member of these groups and no others."""
        _USER_GROUPS.replace(self, groups)

    def delete_permissions_group(self, group: str) -> None:
        """End the user's membership of a group."""
        _USER_GROUPS.remove(self, group)

    def add_zone(self, zone: str) -> None:
        """Let the user work on a zone."""
        _USER_ZONES.add(self, zone)

    def replace_zones(self, zones: Iterable[str]) -> None:
        """Let the user work on these zones and no others."""
        _USER_ZONES.replace(self, zones)

    def delete_zone(self, zone: str) -> None:
        """Let the user work on a zone no more."""
        _USER_ZONES.remove(self, zone)


class PermissionsGroup(Thing):
    """A group of users with the same permissions.

    >>> PermissionsGroup("editors", description="may edit", permission=["RecordAdd", "RecordUpdate"])
    """

    __slots__ = ()

    resource = "PermissionGroup"
    key = "group_name"

    description = Attribute()
    group_type = Attribute("type")
    all_users = Attribute()
    permission = Attribute()
    user_name = Attribute()
    subgroup = Attribute()
    zone = Attribute()
    new_group_name = Attribute()

    def add_permission(self, permission: str) -> None:
        """Allow one more thing."""
        _GROUP_PERMISSIONS.add(self, permission)

    def replace_permissions(self, permissions: Iterable[str]) -> None:
        """Allow these things and no others."""
        _GROUP_PERMISSIONS.replace(self, permissions)

    def remove_permission(self, permission: str) -> None:
        """Allow one thing less."""
        _GROUP_PERMISSIONS.remove(self, permission)

    def add_zone(self, zone: str) -> None:
        """Let the group work on a zone."""
        _GROUP_ZONES.add(self, zone)

    def add_subgroup(self, name: str) -> None:
        """Let another group belong to this one."""
        _GROUP_SUBGROUPS.add(self, name)

    def delete_subgroup(self, name: str) -> None:
        """Let another group belong to this one no more."""
        _GROUP_SUBGROUPS.remove(self, name)


class Contact(Thing):
    """Somebody to tell of trouble.

    >>> Contact("ann", email="ann@example.test", first_name="Ann", last_name="Archer", organization="Acme")
    """

    __slots__ = ()

    resource = "Contact"
    key = "nickname"

    email = Attribute()
    first_name = Attribute()
    last_name = Attribute()
    organization = Attribute()
    phone = Attribute()
    address = Attribute()
    address_2 = Attribute()
    city = Attribute()
    state = Attribute()
    country = Attribute()
    fax = Attribute()
    notify_email = Attribute()
    pager_email = Attribute()
    post_code = Attribute()
    website = Attribute()
    new_nickname = Attribute()


class Notifier(Thing):
    """Whom to tell of a service's trouble; known by the number that the service gives it.

    >>> Notifier.create("night shift", recipients=[{"recipient": "ann@example.test", "format": "email"}])
    """

    __slots__ = ()

    resource = "Notifier"
    key = "notifier_id"

    label = Attribute()
    recipients = Attribute()
    services = Attribute()
    active = Attribute()

    @classmethod
    def create(
        cls,
        label: str,
        recipients: Iterable[Mapping[str, Any]] = (),
        services: Iterable[Mapping[str, Any]] = (),
        *,
        session: DynectSession | None = None,
    ) -> Notifier:
        """A new notifier.

        Args:
            label: What it is called.
            recipients: Each with `recipient` and `format`.
            services: Each with `service_class` and `service_id`.
            session: The session to use instead of the current one.
        """
        body = {"label": label, "recipients": list(recipients), "services": list(services)}
        answer = ask(session, "POST", path(cls.resource), body)
        return cls.of({**body, **(answer if isinstance(answer, dict) else {})}, session=session)


class UpdateUser(Thing):
    """A user of dynamic DNS, who may only update addresses."""

    __slots__ = ()

    resource = "UpdateUser"
    key = "user_name"

    nickname = Attribute()
    status = Attribute(writable=False)
    password = Attribute()

    @classmethod
    def create(cls, nickname: str, password: str, *, session: DynectSession | None = None) -> UpdateUser:
        """A new update user; the service makes the name."""
        register(password)
        answer = ask(session, "POST", path(cls.resource), {"nickname": nickname, "password": password})
        return cls.of({"nickname": nickname, **(answer if isinstance(answer, dict) else {})}, session=session)

    def block(self) -> None:
        """Let the user update no more."""
        self.put({"block": True})

    def unblock(self) -> None:
        """Let the user update again."""
        self.put({"unblock": True})


class IPACL(Resource):
    """From where the account may be signed in to.

    >>> IPACL("api").set(["192.0.2.0/24"], active=True)

    Args:
        scope: "api" or "web".
        session: The session to use instead of the current one.
    """

    __slots__ = ("scope",)

    def __init__(self, scope: str = "api", *, session: DynectSession | None = None) -> None:
        super().__init__(session)
        self.scope = scope

    @property
    def data(self) -> dict[str, Any]:
        """What the service says of it: netmasks (words with blanks between), active ("Y", "N"); asks."""
        found = rows(ask(self.session, "GET", path("CustomerIPACL")), "access lists")
        return next((row for row in found if row.get("scope") == self.scope), {})

    def set(self, netmasks: Iterable[str], *, active: bool = True) -> None:
        """Allow these networks and no others, once `active`."""
        body = {"netmasks": " ".join(netmasks), "active": "Y" if active else "N"}
        ask(self.session, "PUT", path("CustomerIPACL", self.scope), body)


def get_users(search: Mapping[str, Any] | None = None, *, session: DynectSession | None = None) -> list[User]:
    """The account's users; with `search` those that match all of it: `{"city": "Oslo", "country": "NO"}`."""
    return get_all(User, search, session=session)


def get_updateusers(
    search: Mapping[str, Any] | None = None, *, session: DynectSession | None = None
) -> list[UpdateUser]:
    """The account's update users; see `get_users`."""
    return get_all(UpdateUser, search, session=session)


def get_permissions_groups(
    search: Mapping[str, Any] | None = None, *, session: DynectSession | None = None
) -> list[PermissionsGroup]:
    """The account's permission groups; see `get_users`."""
    return get_all(PermissionsGroup, search, session=session)


def get_contacts(
    search: Mapping[str, Any] | None = None, *, session: DynectSession | None = None
) -> list[Contact]:
    """The account's contacts; see `get_users`."""
    return get_all(Contact, search, session=session)


def get_notifiers(
    search: Mapping[str, Any] | None = None, *, session: DynectSession | None = None
) -> list[Notifier]:
    """The account's notifiers; see `get_users`."""
    return get_all(Notifier, search, session=session)
