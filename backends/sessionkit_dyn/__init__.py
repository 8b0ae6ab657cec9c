"""Dyn Managed DNS and Message Management, for sessionkit.

    from sessionkit_dyn import DynectSession, zones

    DynectSession("acme", "ann", password)
    for zone in zones.get_all_zones():
        print(zone.name, zone.serial)

| module | is for |
|---|---|
| `zones` | zones, nodes, secondary zones, transfer keys, tasks |
| `records` | a class for each record type |
| `changes` | what is not published yet |
| `reports` | notes, queries per second, permissions |
| `tools` | renumbering |
| `accounts` | users, contacts, permission groups, notifiers, access lists |
| `mm` | Message Management: sending, senders, suppressions, reports |
| `errors` | what goes wrong |

Everything finds the current session by itself, and takes `session=` where another one is meant. The
services of Managed DNS that steer traffic (Traffic Director, load balancing, failover, dynamic DNS,
redirects, DNSSEC) have no classes here: call them with `session.execute(uri, method, args)`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sessionkit_dyn import accounts, changes, errors, mm, records, reports, tasks, tools, zones
    from sessionkit_dyn.mm.session import MMSession
    from sessionkit_dyn.multi import DynectMultiSession
    from sessionkit_dyn.session import DynectSession
    from sessionkit_dyn.waiting import Progress

_HOME = {
    "DynectMultiSession": "sessionkit_dyn.multi",
    "DynectSession": "sessionkit_dyn.session",
    "MMSession": "sessionkit_dyn.mm.session",
    "Progress": "sessionkit_dyn.waiting",
}

__all__ = [
    "DynectMultiSession",
    "DynectSession",
    "MMSession",
    "Progress",
    "accounts",
    "changes",
    "errors",
    "mm",
    "records",
    "reports",
    "tasks",
    "tools",
    "zones",
]


def __getattr__(name: str) -> Any:
    # Imported when first used: the sandbox and the entry points need a part of it each.
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
