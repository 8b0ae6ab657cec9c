"""Every member that users of the vendor's hub know, with the names, order and defaults that they type."""

import inspect

import pytest

from sessionkit.events import EventHub, ServerDetails, SocketIoSession

MEMBERS = {
    "__init__": "server_url, api_user, api_key, headers=None, cookies=None",
    "init_connection": "",
    "connect": "",
    "disconnect": "unsubscribe=True, reconnect=False",
    "reconnect": "attempts=10, delay=5",
    "wait": "duration=None",
    "get_subscriber_by_identifier": "identifier",
    "subscribe": "subscription, callback, subscriber=None, priority=100",
    "unsubscribe": "subscriber_identifier",
    "publish": "event, synchronous=False, on_reply=None, on_error='raise'",
    "publish_reply": "source_event, data, source=None",
}


@pytest.mark.parametrize("name", MEMBERS)
def test_a_methods_arguments(name):
    shown = inspect.signature(getattr(EventHub, name)).parameters.values()
    # What the page does not have may follow, by name; the URL and the key may be left out.
    wanted = [part.strip().partition("=")[::2] for part in MEMBERS[name].split(",") if part]
    ours = [each for each in shown if each.name != "self" and each.kind is not each.KEYWORD_ONLY]
    assert [each.name for each in ours] == [argument for argument, _ in wanted]
    for each, (_, default) in zip(ours, wanted, strict=True):
        assert not default or repr(each.default) == default


@pytest.mark.parametrize("name", ["secure", "connected"])
def test_properties(name):
    assert isinstance(vars(EventHub)[name], property)


def test_named_tuples():
    assert SocketIoSession._fields == ("id", "heartbeatTimeout", "supportedTransports")
    assert ServerDetails._fields == ("scheme", "hostname", "port")
