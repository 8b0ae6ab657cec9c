"""Users, groups, contacts, notifiers, access lists."""

import pytest

from sessionkit.errors import Conflict, NotFound
from sessionkit_dyn import DynectSession, accounts, errors


def test_a_users_life(sandbox, dyn):
    user = accounts.User("bob", password="secret-1", email="bob@example.test", city=None)
    assert (user.status, user.email, user.password) == ("active", "bob@example.test", None)
    with DynectSession.detached("acme", "bob", "secret-1", host=sandbox.url):
        pass
    user.block()
    assert user.status == "blocked"
    with pytest.raises(errors.DynectAuthError):
        DynectSession.detached("acme", "bob", "secret-1", host=sandbox.url)
    user.unblock()
    user.update(city="Oslo", country="NO")
    assert accounts.User("bob").city == "Oslo"
    user.add_permission("RecordAdd")
    user.replace_permissions(["RecordGet", "RecordUpdate"])
    user.delete_permission("RecordGet")
    user.add_permissions_group("editors")
    user.replace_permissions_groups(["writers"])
    user.delete_permissions_group("writers")
    user.add_zone("shop.example")
    user.replace_zones(["lan.example"])
    user.delete_zone("lan.example")
    assert user.refresh().permission == ["RecordUpdate"]
    user.delete()
    with pytest.raises(NotFound):
        accounts.User("bob")


def test_what_cannot_be_set_is_said(sandbox, dyn):
    with pytest.raises(errors.DynectInvalidArgumentError, match="status"):
        accounts.User("bob", password="secret-1", status="blocked")
    with pytest.raises(errors.DynectInvalidArgumentError, match="colour"):
        accounts.Contact("bob", colour="red")
    assert sandbox.requests(path="/REST/User*") == []


def test_contacts_are_created_renamed_and_found(dyn):
    contact = accounts.Contact("ann", email="a@example.test", city="Oslo")
    with pytest.raises(Conflict):
        accounts.Contact("ann", email="a@example.test")
    contact.update(new_nickname="anna")
    assert contact.name == "anna"
    contact.email = "anna@example.test"
    assert [each.email for each in accounts.get_contacts({"city": "oslo"})] == ["anna@example.test"]
    assert accounts.get_contacts({"nickname": "nobody"}) == []
    contact.delete()


def test_groups(dyn):
    group = accounts.PermissionsGroup("editors", description="may edit", group_type="plain")
    group.add_permission("RecordAdd")
    group.replace_permissions(["RecordGet"])
    group.remove_permission("RecordGet")
    group.add_zone("shop.example")
    group.add_subgroup("writers")
    group.delete_subgroup("writers")
    group.description = "may still edit"
    assert [each.description for each in accounts.get_permissions_groups()] == ["may still edit"]
    assert group.group_type == "plain"


def test_notifiers_and_update_users(dyn):
    made = accounts.Notifier.create(
        "night", recipients=[{"recipient": "ann@example.test", "format": "email"}]
    )
    made.label = "day"
    assert [each.label for each in accounts.get_notifiers()] == ["day"]
    made.delete()
    user = accounts.UpdateUser.create("router", "secret-2")
    assert user.name == "acme-router"
    user.block()
    user.unblock()
    assert [each.name for each in accounts.get_updateusers()] == ["acme-router"]


def test_access_lists(dyn):
    access = accounts.IPACL("api")
    assert access.data == {}
    access.set(["127.0.0.0/8", "192.0.2.0/24"], active=False)
    assert access.data["netmasks"] == "127.0.0.0/8 192.0.2.0/24"
