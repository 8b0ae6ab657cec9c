"""The table of resources that are created, read, changed and deleted alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource.

    Attributes:
        name: In the path: "HTTPRedirect".
        keys: What the parts of its path are called in its content.
        noun: What messages call it.
        made: Whether the service makes the last key on creation.
        required: Arguments that creating it needs.
        defaults: Content that is there from the start.
        flags: Arguments of a change that mean other content, not themselves.
        listed: Whether an answer is a list of all, as for access lists.
        upsert: Whether a change creates what is missing.
    """

    name: str
    keys: tuple[str, ...]
    noun: str = "service"
    made: bool = False
    required: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    flags: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    listed: bool = False
    upsert: bool = False

    @property
    def in_zone(self) -> bool:
        """Whether it belongs to a zone that must be there."""
        return self.keys[0] == "zone" and self.name != "Secondary"


_ACTIVE = {"activate": {"active": "Y"}, "deactivate": {"active": "N"}}
_BLOCK = {"block": {"status": "blocked"}, "unblock": {"status": "active"}}
_RECOVER = {"recover": {"status": "ok"}, "recoverip": {}, **_ACTIVE}
_BALANCED = {"status": "ok", "active": "Y", "region": [], "contact_nickname": "", "auto_recover": "Y"}

#: Arguments that steer a call and are not kept.
STEERING = frozenset({"detail", "publish", "full_setup", "rules"})

KINDS = (
    Kind(
        "User",
        ("user_name",),
        "user",
        required=("password",),
        defaults={"status": "active", "permission": [], "group_name": [], "zone": [], "forbid": []},
        flags=_BLOCK,
    ),
    Kind(
        "UpdateUser",
        ("user_name",),
        "user",
        required=("nickname", "password"),
        defaults={"status": "active"},
        flags=_BLOCK,
    ),
    Kind(
        "Contact", ("nickname",), "contact", defaults={"first_name": "", "last_name": "", "organization": ""}
    ),
    Kind(
        "Notifier",
        ("notifier_id",),
        "notifier",
        made=True,
        required=("label",),
        defaults={"recipients": [], "services": [], "active": "Y"},
    ),
    Kind(
        "PermissionGroup",
        ("group_name",),
        "group",
        defaults={
            "description": "",
            "type": "plain",
            "all_users": "N",
            "permission": [],
            "user_name": [],
            "subgroup": [],
            "zone": [],
        },
    ),
    Kind(
        "CustomerIPACL",
        ("scope",),
        "access list",
        defaults={"netmasks": "", "active": "N"},
        listed=True,
        upsert=True,
    ),
    Kind("TSIGKey", ("name",), "key", required=("algorithm", "secret")),
    Kind(
        "ExtNameserver",
        ("zone",),
        "external nameserver",
        defaults={"deny": "N", "active": "Y", "hosts": []},
        flags=_ACTIVE,
    ),
    Kind(
        "Secondary",
        ("zone",),
        "zone",
        required=("masters",),
        defaults={"active": "N", "contact_nickname": "", "tsig_key_name": ""},
        flags={**_ACTIVE, "retransfer": {}},
    ),
    Kind("HTTPRedirect", ("zone", "fqdn"), required=("code", "url"), defaults={"keep_uri": "False"}),
    Kind("AdvRedirect", ("zone", "fqdn"), defaults={"active": "Y", "rules": []}, flags=_ACTIVE),
    Kind(
        "DDNS",
        ("zone", "fqdn", "record_type"),
        required=("address",),
        defaults={"active": "Y", "abuse_count": "0", "last_updated": "0"},
        flags={**_ACTIVE, "reset": {"abuse_count": "0"}},
    ),
    Kind(
        "DNSSEC",
        ("zone",),
        required=("keys",),
        defaults={"active": "N", "contact_nickname": "", "notify_events": "", "rollover_dates": {}},
        flags=_ACTIVE,
    ),
    Kind(
        "Failover",
        ("zone", "fqdn"),
        required=("address", "failover_mode", "failover_data", "monitor"),
        defaults={"status": "ok", "active": "Y", "auto_recover": "Y", "ttl": "30", "notify_events": ""},
        flags=_RECOVER,
    ),
    Kind("GSLB", ("zone", "fqdn"), required=("region",), defaults=_BALANCED, flags=_RECOVER),
    Kind("RTTM", ("zone", "fqdn"), required=("region",), defaults=_BALANCED, flags=_RECOVER),
    Kind(
        "IPTrack",
        ("zone", "fqdn", "iptrack_id"),
        made=True,
        required=("hosts",),
        defaults={"active": "Y", "ttl": "default", "record_types": ["A"]},
        flags=_ACTIVE,
    ),
    Kind(
        "DSFMonitor",
        ("dsf_monitor_id",),
        "monitor",
        made=True,
        required=("label",),
        defaults={"active": "Y", "endpoints": [], "options": {}, "notifier": [], "services": []},
    ),
)

BY_NAME = {kind.name: kind for kind in KINDS}
