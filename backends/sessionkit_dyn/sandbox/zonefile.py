"""Zones from elsewhere: the text of a zone file, or a transfer (AXFR) from another name server."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dns.asyncquery
import dns.exception
import dns.name
import dns.rdatatype
import dns.zone

from sessionkit_dyn.record_types import RECORD_TYPES, InvalidRecord
from sessionkit_dyn.sandbox.call import plain_name
from sessionkit_dyn.sandbox.envelope import invalid, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dns.rdata import Rdata

_MOST_BYTES = 1_048_576
_TRANSFER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Imported:
    """What was found.

    Attributes:
        rname: The responsible person, of the SOA record.
        ttl: The zone's default time to live, of the SOA record.
        records: (node, type, ttl, data) of every record that the service can hold; not the SOA.
        skipped: A remark for each record that it cannot.
    """

    rname: str
    ttl: int
    records: tuple[tuple[str, str, int, dict[str, Any]], ...]
    skipped: tuple[str, ...]


def parse(zone: str, text: Any) -> Imported:
    """The records of a zone file in RFC 1035 form; `$INCLUDE` is refused.

    Raises:
        Refusal: when it is too long or cannot be read.
    """
    if not isinstance(text, str):
        raise invalid("file", "Text expected", "file: Zone not imported")
    if len(text.encode()) > _MOST_BYTES:
        raise invalid("file", "Zone file must be under 1 MB", "file: Zone not imported")
    try:
        read = dns.zone.from_text(
            text, origin=f"{zone}.", relativize=False, check_origin=False, allow_include=False
        )
    except (dns.exception.DNSException, ValueError) as error:
        raise invalid("file", f"Zone file cannot be read: {error}", "file: Zone not imported") from error
    return _imported(zone, read)


async def transfer(zone: str, master: str) -> Imported:
    """The records that another server hands out; `master` is an address, for a sandbox also "address:port".

    Raises:
        Refusal: when it does not answer, refuses, or answers nonsense.
    """
    host, port = _address(master)
    try:
        read = dns.zone.Zone(f"{zone}.", relativize=False)
        await dns.asyncquery.inbound_xfr(
            host, read, port=port, timeout=_TRANSFER_SECONDS, lifetime=_TRANSFER_SECONDS
        )
    except (dns.exception.DNSException, OSError, EOFError, ValueError) as error:
        raise refuse(
            "OPERATION_FAILED",
            f"transfer: Zone could not be transferred from {master}: {error or type(error).__name__}",
            "create: Zone not created",
        ) from error
    return _imported(zone, read)


def _address(master: str) -> tuple[str, int]:
    host, colon, port = master.rpartition(":")
    if not colon or ":" in host:
        return master, 53
    if not port.isdigit():
        raise invalid("master_ip", "IP address expected", "create: Zone not created")
    return host, int(port)


def _imported(zone: str, read: dns.zone.Zone) -> Imported:
    rname, ttl = f"hostmaster.{zone}.", 3600
    records, skipped = [], []
    for fqdn, seconds, rdata in _walk(read):
        kind = dns.rdatatype.to_text(rdata.rdtype)
        if kind == "SOA":
            rname, ttl = rdata.to_text().split()[1], seconds
            continue
        try:
            data = RECORD_TYPES[kind].validate(_FIELDS[kind](rdata))
        except (KeyError, InvalidRecord) as error:
            skipped.append(f"import: {fqdn} {kind} skipped: {error}")
        else:
            records.append((fqdn, kind, seconds, data))
    return Imported(rname, ttl, tuple(records), tuple(skipped))


def _walk(read: dns.zone.Zone) -> Iterator[tuple[str, int, Rdata]]:
    for name, rdataset in read.iterate_rdatasets():
        for rdata in rdataset:
            yield plain_name(name.to_text()), rdataset.ttl, rdata


def _hex(value: bytes) -> str:
    return value.hex()


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _key(rdata: Any) -> dict[str, Any]:
    return {
        "protocol": rdata.protocol,
        "public_key": _base64(rdata.key),
        "algorithm": int(rdata.algorithm),
        "flags": int(rdata.flags),
    }


def _digest(rdata: Any) -> dict[str, Any]:
    return {
        "digest": _hex(rdata.digest),
        "keytag": rdata.key_tag,
        "algorithm": int(rdata.algorithm),
        "digtype": int(rdata.digest_type),
    }


def _text(rdata: Any) -> dict[str, Any]:
    return {"txtdata": "".join(part.decode("utf-8", "replace") for part in rdata.strings)}


def _split(*names: str) -> Any:
    """For types whose presentation is just their fields with blanks between."""

    def fields(rdata: Any) -> dict[str, Any]:
        words = rdata.to_text().split(None, len(names) - 1)
        return dict(zip(names, words, strict=False))

    return fields


def _loc(rdata: Any) -> dict[str, Any]:
    words = str(rdata.to_text()).split()
    north = next(place for place, word in enumerate(words) if word in {"N", "S"}) + 1
    east = next(place for place, word in enumerate(words) if word in {"E", "W"}) + 1
    given = words[east:]
    size, horizontal, vertical = given[1:] + ["1m", "10000m", "10m"][len(given) - 1 :]
    return {
        "latitude": " ".join(words[:north]),
        "longitude": " ".join(words[north:east]),
        "altitude": given[0],
        "size": size,
        "horiz_pre": horizontal,
        "vert_pre": vertical,
    }


def _csync(rdata: Any) -> dict[str, Any]:
    serial, _, *types = rdata.to_text().split()
    flags = [name for bit, name in ((1, "immediate"), (2, "soaminimum")) if rdata.flags & bit]
    return {"soa_serial": serial, "flags": flags, "types": types}


#: Record type -> its fields from the rdata of dnspython.
_FIELDS: dict[str, Any] = {
    "A": lambda rdata: {"address": rdata.address},
    "AAAA": lambda rdata: {"address": rdata.address},
    "CAA": lambda rdata: {
        "flags": rdata.flags,
        "tag": rdata.tag.decode(),
        "value": rdata.value.decode("utf-8", "replace"),
    },
    "CDNSKEY": _key,
    "CDS": _digest,
    "CERT": lambda rdata: {
        "format": int(rdata.certificate_type),
        "tag": rdata.key_tag,
        "algorithm": int(rdata.algorithm),
        "certificate": _base64(rdata.certificate),
    },
    "CNAME": lambda rdata: {"cname": str(rdata.target)},
    "CSYNC": _csync,
    "DHCID": lambda rdata: {"digest": _base64(rdata.data)},
    "DNAME": lambda rdata: {"dname": str(rdata.target)},
    "DNSKEY": _key,
    "DS": _digest,
    "IPSECKEY": _split("precedence", "gatetype", "algorithm", "gateway", "public_key"),
    "KEY": _split("flags", "protocol", "algorithm", "public_key"),
    "KX": lambda rdata: {"exchange": str(rdata.exchange), "preference": rdata.preference},
    "LOC": _loc,
    "MX": lambda rdata: {"exchange": str(rdata.exchange), "preference": rdata.preference},
    "NAPTR": lambda rdata: {
        "order": rdata.order,
        "preference": rdata.preference,
        "services": rdata.service.decode(),
        "regexp": rdata.regexp.decode(),
        "replacement": str(rdata.replacement),
        "flags": rdata.flags.decode(),
    },
    "NS": lambda rdata: {"nsdname": str(rdata.target)},
    "NSAP": _split("nsap"),
    "PTR": lambda rdata: {"ptrdname": str(rdata.target)},
    "PX": lambda rdata: {
        "preference": rdata.preference,
        "map822": str(rdata.map822),
        "mapx400": str(rdata.mapx400),
    },
    "RP": lambda rdata: {"mbox": str(rdata.mbox), "txtdname": str(rdata.txt)},
    "SPF": _text,
    "SRV": lambda rdata: {
        "port": rdata.port,
        "priority": rdata.priority,
        "target": str(rdata.target),
        "weight": rdata.weight,
    },
    "SSHFP": lambda rdata: {
        "algorithm": rdata.algorithm,
        "fptype": rdata.fp_type,
        "fingerprint": _hex(rdata.fingerprint),
    },
    "TLSA": lambda rdata: {
        "cert_usage": rdata.usage,
        "selector": rdata.selector,
        "match_type": rdata.mtype,
        "certificate": _hex(rdata.cert),
    },
    "TXT": _text,
}
