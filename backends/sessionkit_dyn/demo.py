"""A day's work with Managed DNS, for `sessionkit demo`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

import sessionkit
from sessionkit_dyn import DynectSession, zones

if TYPE_CHECKING:
    from sessionkit.cli.demo import Stage
    from sessionkit_dyn.record import DNSRecord
    from sessionkit_dyn.waiting import Progress

HOSTS = {f"web{number}": f"192.0.2.{number}" for number in range(1, 9)}


def demo(stage: Stage) -> None:
    """Sign in, look around, change a zone from several threads, publish, check, clean up."""
    waits: list[Progress] = []
    with stage.step("sign in; the session is now this thread's current one") as said:
        session = DynectSession(progress=waits.append)
        said.append(repr(session))
    try:
        with stage.step("list the zones") as said:
            said.append(", ".join(f"{zone.name} (serial {zone.serial})" for zone in zones.get_all_zones()))
        with stage.step("create a zone") as said:
            zone = zones.Zone("demo.test", contact="hostmaster@demo.test")
            said.append(zone.name)
        _fill(stage, zone)
        _publish(stage, zone, waits)
        _show(stage, zone)
        _prove(stage, zone)
        with stage.step("clean up: delete the zone") as said:
            zone.delete()
            said.append(f"{len(zones.get_all_zones())} zones are left")
    finally:
        with stage.step("sign out"):
            session.close()


def _fill(stage: Stage, zone: zones.Zone) -> None:
    with stage.step("add 8 hosts from 4 threads, each with a sibling of the session") as said:
        with sessionkit.ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda host: zone.add_record(host, "A", HOSTS[host], ttl=300), HOSTS))
        zone.add_record(None, "MX", "mail.demo.test", 10)
        zone.add_record("_sip._tcp", "SRV", 5060, 10, "web1.demo.test", 5)
        said.append(f"{len(zone.get_changes())} changes wait to be published")


def _publish(stage: Stage, zone: zones.Zone, waits: list[Progress]) -> None:
    with stage.step("publish; the service makes it a job, which the session waits for") as said:
        stage.sandbox.fault("job", service="dyn", polls=2)
        zone.publish(notes="sessionkit demo")
        zone.refresh()
        said.append(f"{len(waits)} waits, now serial {zone.serial}")
    with stage.step("change a published record, discard that, change it again, publish") as said:
        _hosts(zone)["web1"].update(address="192.0.2.101")
        zone.discard_changes()
        _hosts(zone)["web1"].update(address="192.0.2.201")
        zone.publish()
        zone.refresh()
        said.append(f"serial {zone.serial}")


def _show(stage: Stage, zone: zones.Zone) -> None:
    table = Table("name", "type", "ttl", "data", title=zone.name, title_justify="left", header_style="bold")
    for records in zone.get_all_records().values():
        for record in records:
            values = " ".join(map(str, record.rdata().values()))
            table.add_row(record.fqdn, record.record_type, str(record.ttl), values)
    stage.console.print(table)


def _prove(stage: Stage, zone: zones.Zone) -> None:
    with stage.step("prove it: ask again, through a session of its own") as said:
        with DynectSession.detached() as other:
            found = _hosts(zones.Zone(zone.name, session=other))
        wanted = {**HOSTS, "web1": "192.0.2.201"}
        got = {name: record.rdata()["address"] for name, record in found.items()}
        if got != wanted:
            raise AssertionError(f"the zone has {got}, not {wanted}")
        said.append(f"{len(got)} hosts, each as it was written")


def _hosts(zone: zones.Zone) -> dict[str, DNSRecord]:
    records = zone.get_all_records()["a_records"]
    return {record.fqdn.removesuffix(f".{zone.name}"): record for record in records}
