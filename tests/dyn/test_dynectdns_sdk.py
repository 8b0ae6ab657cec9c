"""`DynectDNS` from PyPI, the older client of the same API, unchanged, against the sandbox."""

import importlib.util
from urllib.parse import urlsplit

import pytest


@pytest.fixture
def rest(sandbox, monkeypatch):
    # Its package imports its module as Python 2 did, so its folder itself must be on the path.
    monkeypatch.syspath_prepend(importlib.util.find_spec("dynect").submodule_search_locations[0])
    from DynectDNS import DynectRest

    url = urlsplit(sandbox.url)
    client = DynectRest(url.hostname, url.port, ssl=False)
    yield client
    client._conn.close()


def test_sign_in_create_add_publish_read_delete(rest, sandbox, monkeypatch):
    import DynectDNS

    names = {"customer_name": "acme", "user_name": "ann", "password": "sandbox-ann"}
    assert rest.execute("/REST/Session/", "POST", names)["status"] == "success"
    made = rest.execute("/REST/Zone/old.example/", "POST", {"rname": "ann@old.example", "ttl": 60})
    assert made["data"]["serial"] == 0
    added = rest.execute(
        "/REST/ARecord/old.example/www.old.example/", "POST", {"rdata": {"address": "192.0.2.1"}}
    )
    assert added["data"]["record_id"] == 0

    monkeypatch.setattr(DynectDNS.time, "sleep", lambda seconds: None)
    sandbox.fault("job")
    assert rest.execute("/REST/Zone/old.example/", "PUT", {"publish": 1})["data"]["serial"] == 1
    (uri,) = rest.execute("/REST/ARecord/old.example/www.old.example/", "GET")["data"]
    assert rest.execute(uri, "GET")["data"]["rdata"] == {"address": "192.0.2.1"}
    assert rest.execute("/REST/Zone/old.example/", "DELETE")["status"] == "success"
    assert rest.execute("/REST/Session/", "DELETE")["msgs"][0]["INFO"] == "logout: Logout successful"
