# Written by `python -m sessionkit_dyn.record_stubs`; a test keeps it as it should be.
from typing import Any, Final, overload

from sessionkit_dyn.record import DNSRecord as DNSRecord
from sessionkit_dyn.session import DynectSession

RECORD_CLASSES: Final[dict[str, type[DNSRecord]]]

def record_class(record_type: str) -> type[DNSRecord]: ...
def listing(data: Any, session: DynectSession | None) -> dict[str, list[DNSRecord]]: ...

class ARecord(DNSRecord):
    address: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        address: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class AAAARecord(DNSRecord):
    address: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        address: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class ALIASRecord(DNSRecord):
    alias: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        alias: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class CAARecord(DNSRecord):
    flags: Any
    tag: Any
    value: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        flags: Any,
        tag: Any,
        value: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class CDNSKEYRecord(DNSRecord):
    protocol: Any
    public_key: Any
    algorithm: Any
    flags: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        protocol: Any,
        public_key: Any,
        algorithm: Any = ...,
        flags: Any = ...,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class CDSRecord(DNSRecord):
    digest: Any
    keytag: Any
    algorithm: Any
    digtype: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        digest: Any,
        keytag: Any,
        algorithm: Any = ...,
        digtype: Any = ...,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class CERTRecord(DNSRecord):
    format: Any
    tag: Any
    algorithm: Any
    certificate: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        format: Any,
        tag: Any,
        algorithm: Any,
        certificate: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class CNAMERecord(DNSRecord):
    cname: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        cname: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class CSYNCRecord(DNSRecord):
    soa_serial: Any
    flags: Any
    rectypes: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        soa_serial: Any,
        flags: Any,
        rectypes: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class DHCIDRecord(DNSRecord):
    digest: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        digest: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class DNAMERecord(DNSRecord):
    dname: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        dname: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class DNSKEYRecord(DNSRecord):
    protocol: Any
    public_key: Any
    algorithm: Any
    flags: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        protocol: Any,
        public_key: Any,
        algorithm: Any = ...,
        flags: Any = ...,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class DSRecord(DNSRecord):
    digest: Any
    keytag: Any
    algorithm: Any
    digtype: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        digest: Any,
        keytag: Any,
        algorithm: Any = ...,
        digtype: Any = ...,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class IPSECKEYRecord(DNSRecord):
    precedence: Any
    gatetype: Any
    algorithm: Any
    gateway: Any
    public_key: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        precedence: Any,
        gatetype: Any,
        algorithm: Any,
        gateway: Any,
        public_key: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class KEYRecord(DNSRecord):
    algorithm: Any
    flags: Any
    protocol: Any
    public_key: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        algorithm: Any,
        flags: Any,
        protocol: Any,
        public_key: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class KXRecord(DNSRecord):
    exchange: Any
    preference: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        exchange: Any,
        preference: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class LOCRecord(DNSRecord):
    altitude: Any
    latitude: Any
    longitude: Any
    horiz_pre: Any
    size: Any
    vert_pre: Any
    version: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        altitude: Any,
        latitude: Any,
        longitude: Any,
        horiz_pre: Any = ...,
        size: Any = ...,
        vert_pre: Any = ...,
        version: Any = ...,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class MXRecord(DNSRecord):
    exchange: Any
    preference: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        exchange: Any,
        preference: Any = ...,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class NAPTRRecord(DNSRecord):
    order: Any
    preference: Any
    services: Any
    regexp: Any
    replacement: Any
    flags: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        order: Any,
        preference: Any,
        services: Any,
        regexp: Any,
        replacement: Any,
        flags: Any = ...,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class NSRecord(DNSRecord):
    nsdname: Any
    service_class: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        nsdname: Any,
        service_class: Any = ...,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class NSAPRecord(DNSRecord):
    nsap: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        nsap: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class PTRRecord(DNSRecord):
    ptrdname: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        ptrdname: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class PXRecord(DNSRecord):
    preference: Any
    map822: Any
    mapx400: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        preference: Any,
        map822: Any,
        mapx400: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class RPRecord(DNSRecord):
    mbox: Any
    txtdname: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        mbox: Any,
        txtdname: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class SOARecord(DNSRecord):
    rname: Any
    minimum: Any
    mname: Any
    serial: Any
    refresh: Any
    retry: Any
    expire: Any
    serial_style: Any
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int | None = ..., session: DynectSession | None = ...
    ) -> None: ...

class SPFRecord(DNSRecord):
    txtdata: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        txtdata: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class SRVRecord(DNSRecord):
    port: Any
    priority: Any
    target: Any
    weight: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        port: Any,
        priority: Any,
        target: Any,
        weight: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class SSHFPRecord(DNSRecord):
    algorithm: Any
    fptype: Any
    fingerprint: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        algorithm: Any,
        fptype: Any,
        fingerprint: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class TLSARecord(DNSRecord):
    cert_usage: Any
    selector: Any
    match_type: Any
    certificate: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        cert_usage: Any,
        selector: Any,
        match_type: Any,
        certificate: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...

class TXTRecord(DNSRecord):
    txtdata: Any
    @overload
    def __init__(
        self,
        zone: str,
        fqdn: str,
        txtdata: Any,
        ttl: Any = ...,
        *,
        session: DynectSession | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, zone: str, fqdn: str, *, record_id: int, session: DynectSession | None = ...
    ) -> None: ...
