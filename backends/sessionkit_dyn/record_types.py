"""The DNS record types of Managed DNS, as one table: what each is made of, in which order, and what is valid.

The client builds its record classes from it, the sandbox its endpoints:

    >>> RECORD_TYPES["MX"].validate({"exchange": "mail.example.test", "preference": "10"})
    {'exchange': 'mail.example.test.', 'preference': 10}

A value arrives as whatever a caller has (`ttl` as text, lists for comma-separated fields) and leaves as
the service writes it: whole numbers, names with a trailing dot, base64 and hex without blanks.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sessionkit.errors import ConfigurationError

Check = Callable[[Any], Any]

#: Stands where a field has no default: the caller must give it.
REQUIRED: Final = object()

_LABEL = re.compile(r"[^\s.]{1,63}")


class InvalidRecord(ConfigurationError):
    """A record that cannot be; nothing was sent.

    Attributes:
        field: The field that is wrong.
        problem: What is wrong with it, in the service's words.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Field:
    """One part of a record's data.

    Attributes:
        name: On the wire, inside `rdata`.
        check: Returns the value as the service writes it, or raises ValueError saying what is expected.
        default: What the vendor's constructor sends when it is not given; `REQUIRED` when it must be.
        argument: Its name among the vendor's constructor arguments.
    """

    name: str
    check: Check
    default: Any = REQUIRED
    argument: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "argument", self.argument or self.name)


@dataclass(frozen=True, slots=True)
class RecordType:
    """One record type.

    Attributes:
        name: "A", "CNAME", ...
        fields: In the order of the vendor's positional arguments, after zone and fqdn.
        beside: Arguments that stand beside `ttl` in the body, not in `rdata`: name -> default.
        read_only: Fields that the service fills in.
        single: Whether a node can hold only one.
        alone: Whether its node can hold no other type.
        methods: What can be asked of it.
    """

    name: str
    fields: tuple[Field, ...]
    beside: tuple[tuple[str, str], ...] = ()
    read_only: tuple[str, ...] = ()
    single: bool = False
    alone: bool = False
    methods: frozenset[str] = frozenset({"GET", "POST", "PUT", "DELETE"})

    @property
    def resource(self) -> str:
        """The REST resource: "ARecord"."""
        return f"{self.name}Record"

    @property
    def listing(self) -> str:
        """The key of this type in a listing of all records: "a_records"."""
        return f"{self.name.lower()}_records"

    @property
    def replacing(self) -> str:
        """The key of the list that replaces all records of this type at a node: "ARecords"."""
        return f"{self.name}Records"

    @property
    def rdata_key(self) -> str:
        """The key of this type's data in a changeset: "rdata_a"."""
        return f"rdata_{self.name.lower()}"

    def validate(self, rdata: Mapping[str, Any], *, partial: bool = False) -> dict[str, Any]:
        """The data of a record as the service writes it.

        Args:
            rdata: Wire names and values, as the caller has them.
            partial: For a change: fields that are missing stay as they are.

        Raises:
            InvalidRecord: naming the field that is unknown, missing or wrong.
        """
        known = {field.name: field for field in self.fields}
        for name in rdata:
            if name not in known or name in self.read_only:
                raise InvalidRecord(name, "unknown field" if name not in known else "cannot be changed")
        result = {}
        for field in self.fields:
            if field.name in self.read_only or (partial and rdata.get(field.name) is None):
                continue
            value = rdata.get(field.name, field.default)
            if value is REQUIRED or value is None:
                raise InvalidRecord(field.name, "required field missing")
            try:
                result[field.name] = field.check(value)
            except (ValueError, TypeError) as error:
                raise InvalidRecord(field.name, str(error)) from error
        return result


def check_ttl(value: Any) -> int:
    """A time to live in seconds; None, "" and 0 mean the zone's default and become 0.

    Raises:
        InvalidRecord: when it is no whole number from 0 to 2147483647.
    """
    if value is None or value == "":
        return 0
    try:
        return integer(0, 2**31 - 1)(value)
    except (ValueError, TypeError) as error:
        raise InvalidRecord("ttl", str(error)) from error


def integer(lowest: int, highest: int) -> Callable[[Any], int]:
    """A check for whole numbers, given as such or as decimal text."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise TypeError("Integer expected")
        text = str(value).strip()
        if not re.fullmatch(r"-?[0-9]{1,16}", text):
            raise ValueError("Integer expected")
        if not lowest <= int(text) <= highest:
            raise ValueError(f"Value must be between {lowest} and {highest}")
        return int(text)

    return check


def ipv4(value: Any) -> str:
    """An IPv4 address."""
    try:
        return str(ipaddress.IPv4Address(str(value)))
    except ValueError as error:
        raise ValueError("IPv4 address expected") from error


def ipv6(value: Any) -> str:
    """An IPv6 address, in its short form."""
    try:
        return str(ipaddress.IPv6Address(str(value)))
    except ValueError as error:
        raise ValueError("IPv6 address expected") from error


def hostname(value: Any) -> str:
    """A domain name, absolute: with a trailing dot. "." is the root."""
    text = str(value).strip()
    labels = text.removesuffix(".").split(".")
    if text != "." and (len(text) > 254 or not all(_LABEL.fullmatch(label) for label in labels)):
        raise ValueError("Hostname expected")
    return text if text.endswith(".") else f"{text}."


def mailbox(value: Any) -> str:
    """A mail address as a domain name: its "@" is a dot."""
    return hostname(str(value).replace("@", ".", 1))


def text(longest: int) -> Callable[[Any], str]:
    """A check for text of at most `longest` characters; numbers are written out."""

    def check(value: Any) -> str:
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise TypeError("Text expected")
        if len(str(value)) > longest:
            raise ValueError(f"Text of at most {longest} characters expected")
        return str(value)

    return check


def choice(*values: str) -> Callable[[Any], str]:
    """A check for one of some words, in any case."""

    def check(value: Any) -> str:
        for known in values:
            if str(value).lower() == known.lower():
                return known
        raise ValueError(f"Value must be one of {', '.join(values)}")

    return check


def words(check: Callable[[Any], str]) -> Callable[[Any], str]:
    """A check for several values: a list, or text with commas; leaves as text with commas."""

    def check_all(value: Any) -> str:
        given: Iterable[Any] = value.split(",") if isinstance(value, str) else value
        return ",".join(check(str(word).strip()) for word in given)

    return check_all


def base64_text(value: Any) -> str:
    """Base64, without blanks."""
    compact = re.sub(r"\s", "", str(value))
    try:
        base64.b64decode(compact, validate=True)
    except (ValueError, binascii.Error) as error:
        raise ValueError("Base64 expected") from error
    if not compact:
        raise ValueError("Base64 expected")
    return compact


def hexadecimal(value: Any) -> str:
    """Hexadecimal digits in pairs, without blanks."""
    compact = re.sub(r"\s", "", str(value))
    if not re.fullmatch(r"([0-9a-fA-F]{2})+", compact):
        raise ValueError("Hexadecimal digits expected")
    return compact


def nsap_address(value: Any) -> str:
    """An NSAP address: "0x" and hexadecimal digits, dots allowed."""
    written = str(value).strip()
    if not re.fullmatch(r"0[xX][0-9a-fA-F.]+", written):
        raise ValueError("NSAP address expected")
    return written


def coordinate(directions: str, degrees: int) -> Callable[[Any], str]:
    """A check for "42 21 54.5 N": degrees, minutes and seconds as far as known, a direction."""

    def check(value: Any) -> str:
        written = " ".join(str(value).split())
        match = re.fullmatch(
            rf"(\d{{1,3}})(?: ([0-5]?\d)(?: ([0-5]?\d(?:\.\d+)?))?)? ([{directions}])", written.upper()
        )
        if match is None or int(match[1]) > degrees:
            raise ValueError(f"Coordinate such as '42 21 54 {directions[0]}' expected")
        return written

    return check


def metres(value: Any) -> str:
    """A distance in metres: "10", "-24.5m"; leaves as text."""
    written = str(value).strip()
    if not re.fullmatch(r"-?\d{1,8}(\.\d{1,2})?m?", written):
        raise ValueError("Distance in metres expected")
    return written


_BYTE = integer(0, 255)
_SHORT = integer(0, 65_535)
_LONG = integer(0, 4_294_967_295)
_KEY = (
    Field("protocol", _BYTE),
    Field("public_key", base64_text),
    Field("algorithm", _BYTE, 5),
    Field("flags", _SHORT, 256),
)
_DIGEST = (
    Field("digest", hexadecimal),
    Field("keytag", _SHORT),
    Field("algorithm", _BYTE, 5),
    Field("digtype", _BYTE, 1),
)
_TEXT = (Field("txtdata", text(4_096)),)

_TYPES = (
    RecordType("A", (Field("address", ipv4),)),
    RecordType("AAAA", (Field("address", ipv6),)),
    RecordType("ALIAS", (Field("alias", hostname),), single=True),
    RecordType("CAA", (Field("flags", _BYTE), Field("tag", text(15)), Field("value", text(4_096)))),
    RecordType("CDNSKEY", _KEY),
    RecordType("CDS", _DIGEST),
    RecordType(
        "CERT",
        (
            Field("format", _SHORT),
            Field("tag", _SHORT),
            Field("algorithm", _BYTE),
            Field("certificate", base64_text),
        ),
    ),
    RecordType("CNAME", (Field("cname", hostname),), single=True, alone=True),
    RecordType(
        "CSYNC",
        (
            Field("soa_serial", _LONG),
            Field("flags", words(choice("soaminimum", "immediate"))),
            Field("types", words(text(10)), argument="rectypes"),
        ),
        single=True,
    ),
    RecordType("DHCID", (Field("digest", base64_text),)),
    RecordType("DNAME", (Field("dname", hostname),), single=True),
    RecordType("DNSKEY", _KEY),
    RecordType("DS", _DIGEST),
    RecordType(
        "IPSECKEY",
        (
            Field("precedence", _BYTE),
            Field("gatetype", integer(0, 3)),
            Field("algorithm", integer(0, 2)),
            Field("gateway", text(255)),
            Field("public_key", base64_text),
        ),
    ),
    RecordType(
        "KEY",
        (
            Field("algorithm", _BYTE),
            Field("flags", _SHORT),
            Field("protocol", _BYTE),
            Field("public_key", base64_text),
        ),
    ),
    RecordType("KX", (Field("exchange", hostname), Field("preference", _SHORT))),
    RecordType(
        "LOC",
        (
            Field("altitude", metres),
            Field("latitude", coordinate("NS", 90)),
            Field("longitude", coordinate("EW", 180)),
            Field("horiz_pre", metres, "10000"),
            Field("size", metres, "1"),
            Field("vert_pre", metres, "10"),
            Field("version", integer(0, 0), 0),
        ),
    ),
    RecordType("MX", (Field("exchange", hostname), Field("preference", _SHORT, 10))),
    RecordType(
        "NAPTR",
        (
            Field("order", _SHORT),
            Field("preference", _SHORT),
            Field("services", text(255)),
            Field("regexp", text(255)),
            Field("replacement", hostname),
            Field("flags", text(255), "U"),
        ),
    ),
    RecordType("NS", (Field("nsdname", hostname),), beside=(("service_class", ""),)),
    RecordType("NSAP", (Field("nsap", nsap_address),)),
    RecordType("PTR", (Field("ptrdname", hostname),)),
    RecordType("PX", (Field("preference", _SHORT), Field("map822", hostname), Field("mapx400", hostname))),
    RecordType("RP", (Field("mbox", mailbox), Field("txtdname", hostname))),
    RecordType(
        "SOA",
        (
            Field("rname", mailbox),
            Field("minimum", _LONG),
            Field("mname", hostname),
            Field("serial", _LONG),
            Field("refresh", _LONG),
            Field("retry", _LONG),
            Field("expire", _LONG),
        ),
        beside=(("serial_style", "increment"),),
        read_only=("mname", "serial", "refresh", "retry", "expire"),
        single=True,
        methods=frozenset({"GET", "PUT"}),
    ),
    RecordType("SPF", _TEXT),
    RecordType(
        "SRV",
        (
            Field("port", _SHORT),
            Field("priority", _SHORT),
            Field("target", hostname),
            Field("weight", _SHORT),
        ),
    ),
    RecordType(
        "SSHFP", (Field("algorithm", _BYTE), Field("fptype", _BYTE), Field("fingerprint", hexadecimal))
    ),
    RecordType(
        "TLSA",
        (
            Field("cert_usage", _BYTE),
            Field("selector", _BYTE),
            Field("match_type", _BYTE),
            Field("certificate", hexadecimal),
        ),
    ),
    RecordType("TXT", _TEXT),
)

#: Every type by its name, in alphabetical order.
RECORD_TYPES: Final[Mapping[str, RecordType]] = {each.name: each for each in _TYPES}
