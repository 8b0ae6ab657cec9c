"""From a data file's `dyn` section to the tables.

dyn:
  limits: {requests_per_minute: 300, idle_logout: 3600}
  customers:
    acme:
      users: {ann: {password: secret, permissions: [RecordGet, ZoneGet], email: ann@example.test}}
      zones:
        example.test:
          contact: hostmaster@example.test
          ttl: 3600
          serial_style: day
          serial: 7
          records:
            - {fqdn: www.example.test, type: A, ttl: 60, rdata: {address: 192.0.2.1}}
  email:
    the-api-key: {senders: [news@example.test], recipients: [ann@example.test], suppressions: []}
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigurationError
from sessionkit_dyn.record_types import RECORD_TYPES, InvalidRecord, check_ttl
from sessionkit_dyn.sandbox import changes, mail, tables, things, zones
from sessionkit_dyn.sandbox.call import Call, is_name, plain_name
from sessionkit_dyn.sandbox.envelope import Refusal
from sessionkit_dyn.sandbox.kinds import BY_NAME
from sessionkit_dyn.sandbox.records import in_zone
from sessionkit_dyn.sandbox.reports import PERMISSIONS
from sessionkit_dyn.sandbox.sessions import Limits

if TYPE_CHECKING:
    from sessionkit.sandbox import Host


def load(host: Host, data: Mapping[str, Any]) -> Limits | None:
    """Store a section; returns the limits it sets, if any.

    Raises:
        ConfigurationError: naming the key that is wrong.
    """
    _only(data, "dyn", {"customers", "email", "limits"})
    with host.db:
        for customer, account in _mapping(data.get("customers"), "dyn.customers").items():
            _customer(host, str(customer), _mapping(account, f"dyn.customers.{customer}"))
        for key, account in _mapping(data.get("email"), "dyn.email").items():
            _mail_account(host, str(key), _mapping(account, f"dyn.email.{key}"))
    return _limits(_mapping(data.get("limits"), "dyn.limits"))


def _limits(given: Mapping[str, Any]) -> Limits | None:
    known = {field.name for field in dataclasses.fields(Limits)}
    _only(given, "dyn.limits", known)
    if not all(
        isinstance(value, int) and not isinstance(value, bool) and value >= 0 for value in given.values()
    ):
        raise ConfigurationError(f"dyn.limits are whole numbers, not {dict(given)!r}")
    return Limits(**given) if given else None


def _customer(host: Host, customer: str, account: Mapping[str, Any]) -> None:
    where = f"dyn.customers.{customer}"
    _only(account, where, {"users", "zones"})
    call = Call(host.db, host.clock, "POST", "", [], customer=customer)
    for user, profile in _mapping(account.get("users"), f"{where}.users").items():
        _user(call, str(user), dict(_mapping(profile, f"{where}.users.{user}")))
    for zone, content in _mapping(account.get("zones"), f"{where}.zones").items():
        _zone(call, plain_name(zone), _mapping(content, f"{where}.zones.{zone}"))


def _user(call: Call, user: str, profile: dict[str, Any]) -> None:
    where = f"dyn.customers.{call.customer}.users.{user}"
    password, permissions = profile.pop("password", None), profile.pop("permissions", None)
    if not password:
        raise ConfigurationError(f"{where} has no password")
    call.db.execute("DELETE FROM dyn_user WHERE customer = ? AND user_name = ?", [call.customer, user])
    tables.insert(
        call.db,
        "user",
        customer=call.customer,
        user_name=user,
        password=str(password),
    )
    kind = BY_NAME["User"]
    permission = list(PERMISSIONS) if permissions is None else _list(permissions, f"{where}.permissions")
    content = {**kind.defaults, **profile, "permission": permission, "user_name": user}
    things.save(call, "User", [user], content)


def _zone(call: Call, zone: str, content: Mapping[str, Any]) -> None:
    where = f"dyn.customers.{call.customer}.zones.{zone}"
    _only(content, where, {"contact", "ttl", "serial", "serial_style", "records"})
    if not is_name(zone):
        raise ConfigurationError(f"{where} is no zone name")
    for table in ("zone", "record", "change", "note"):
        call.db.execute(f"DELETE FROM dyn_{table} WHERE zone = ?", [zone])  # noqa: S608 - the names above
    contact, style = content.get("contact", f"hostmaster@{zone}"), content.get("serial_style", "increment")
    try:
        zones.add_zone(call, zone, rname=contact, ttl=content.get("ttl"), style=str(style))
    except Refusal as refusal:
        raise ConfigurationError(f"{where}: {refusal}") from refusal
    serial = content.get("serial", 1)
    if not isinstance(serial, int) or not 0 <= serial < 2**32:
        raise ConfigurationError(f"{where}.serial is a number of 32 bits, not {serial!r}")
    call.db.execute("UPDATE dyn_zone SET serial = ? WHERE zone = ?", [serial, zone])
    for index, record in enumerate(_list(content.get("records"), f"{where}.records")):
        _record(call, zone, _mapping(record, f"{where}.records[{index}]"), f"{where}.records[{index}]")


def _record(call: Call, zone: str, given: Mapping[str, Any], where: str) -> None:
    _only(given, where, {"fqdn", "type", "ttl", "rdata"})
    kind = RECORD_TYPES.get(str(given.get("type")).upper())
    fqdn = plain_name(given.get("fqdn", zone))
    if kind is None or not in_zone(fqdn, zone):
        raise ConfigurationError(f"{where}: {given.get('type')!r} at {fqdn!r} is no record of this zone")
    try:
        rdata = kind.validate(_mapping(given.get("rdata"), f"{where}.rdata"))
        ttl = check_ttl(given.get("ttl")) or 3600
    except InvalidRecord as error:
        raise ConfigurationError(f"{where}: {error}") from error
    beside = dict(kind.beside)
    changes.store(call.db, changes.Record(zone, fqdn, kind.name, ttl, rdata, beside))


def _mail_account(host: Host, key: str, account: Mapping[str, Any]) -> None:
    where = f"dyn.email.{key}"
    kinds = ("sender", "recipient", "suppression")
    _only(account, where, {"username", "companyname", *(f"{kind}s" for kind in kinds)})
    names = {"username": "postmaster@example.test", "companyname": ""}
    content = {name: str(account.get(name, default)) for name, default in names.items()}
    host.db.execute(
        "INSERT OR REPLACE INTO dyn_mail_account (apikey, content) VALUES (?, ?)", [key, json.dumps(content)]
    )
    box = mail.Mailbox(host, key)
    for kind in kinds:
        for address in map(str, _list(account.get(f"{kind}s"), f"{where}.{kind}s")):
            box.remove(kind, address)
            box.add(kind, address, mail.NEW.get(kind))


def _list(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ConfigurationError(f"{where} is a list, not {value!r}")
    return value


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{where} is a mapping, not {value!r}")
    return value


def _only(given: Mapping[str, Any], where: str, known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise ConfigurationError(f"{where} has no {name!r}", hint=f"it has {', '.join(sorted(known))}")
