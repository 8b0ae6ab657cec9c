"""No registered secret in any record of the covered loggers, however it got there."""

import http.client
import io
import logging
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from sessionkit import secrets
from sessionkit.secrets import MASK, RedactingFilter, Secret

VALUE = "never-in-a-log"


@pytest.fixture
def secret():
    return Secret(VALUE)


@pytest.fixture
def log():
    """What a handler on the root logger writes at level 1."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(1)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def installed():
    secrets.uninstall()  # the first session of the process has installed it
    factory = logging.getLogRecordFactory()
    secrets.install("another.library")
    yield
    secrets.uninstall()
    assert logging.getLogRecordFactory() is factory
    assert not hasattr(http.client, "print")
    secrets.install()  # as the tests after this one expect it


def fail():
    raise RuntimeError(f"cannot send {VALUE}")


def log_exception(logger):
    try:
        fail()
    except RuntimeError:
        logger.exception("it failed")


WAYS = [
    lambda logger: logger.info(f"sent {VALUE}"),  # noqa: G004 - what is tested
    lambda logger: logger.info("sent %s to %s", VALUE, "host"),
    lambda logger: logger.info("sent %(what)s", {"what": VALUE}),
    lambda logger: logger.info("sent %r", {"nested": [VALUE]}),
    lambda logger: logger.info("sent %s", VALUE.encode()),
    lambda logger: logger.info("wrong %s number of %s", VALUE),  # noqa: PLE1206 - what is tested
    lambda logger: logger.info("wrong %d", VALUE),
    lambda logger: logger.info(RuntimeError(VALUE)),
    log_exception,
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name",
    [
        "sessionkit",
        "sessionkit.made.later",
        "sessionkit_dyn",
        "urllib3.connectionpool",
        "requests",
        "another.library.deep",
    ],
)
def test_covered_loggers_write_no_secret(installed, log, secret, way, name, capsys):
    way(logging.getLogger(name))
    assert VALUE not in log.getvalue() + capsys.readouterr().err
    assert MASK in log.getvalue()


def test_other_loggers_are_left_alone(installed, log, secret):
    logging.getLogger("somebody.else").info("sent %s", VALUE)
    assert VALUE in log.getvalue()


def test_the_exception_object_stays_when_its_text_is_clean(installed, caplog, secret):
    logger = logging.getLogger("sessionkit")
    logger.warning("fine", exc_info=RuntimeError("nothing secret"))
    assert caplog.records[-1].exc_info[1].args == ("nothing secret",)
    log_exception(logger)
    assert caplog.records[-1].exc_info is None
    assert f"RuntimeError: cannot send {MASK}" in caplog.records[-1].exc_text


def test_the_filter_cleans_extra_attributes(caplog, secret):
    cleaning = RedactingFilter()
    caplog.handler.addFilter(cleaning)
    logging.getLogger("not.covered").warning("look", extra={"header": f"Bearer {VALUE}", "size": 5})
    caplog.handler.removeFilter(cleaning)  # it serves all tests of the process
    assert caplog.records[-1].header == f"Bearer {MASK}"
    assert caplog.records[-1].size == 5


def test_arguments_of_a_clean_record_stay(installed, caplog):
    logging.getLogger("sessionkit").warning("nothing %s", "secret")
    assert caplog.records[-1].args == ("secret",)


def test_installing_twice_is_installing_once(installed, log, secret):
    secrets.install()
    logging.getLogger("another.library").info(VALUE)
    assert log.getvalue() == f"another.library {MASK}\n"


def test_factories_that_are_put_on_top_of_each_other_in_any_order(installed, log, secret):
    from sessionkit_redengine.capture import start_capture, stop_capture

    start_capture()
    secrets.install()
    start_capture()
    secrets.install()
    logging.getLogger("sessionkit").info(VALUE)
    stop_capture()
    stop_capture()
    while logging.getLogRecordFactory() is not logging.LogRecord:
        logging.setLogRecordFactory(logging.getLogRecordFactory().below)
    assert log.getvalue() == f"sessionkit {MASK}\n"


def test_the_filter_cleans_what_a_handler_gets(secret):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    logger = logging.getLogger("not.covered")
    logger.addHandler(handler)
    try:
        logger.error("sent %s", VALUE)
    finally:
        logger.removeHandler(handler)
    assert stream.getvalue() == f"sent {MASK}\n"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def url():
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(5)


def test_a_request_at_the_most_talkative_settings_shows_nothing(
    installed, log, secret, url, monkeypatch, capsys
):
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with requests.Session() as session:
        session.trust_env = False
        session.get(f"{url}/?key={VALUE}", headers={"X-Key": VALUE}, auth=("ann", VALUE), timeout=10).close()
    printed = capsys.readouterr().out
    assert "send:" in printed
    assert f"key={MASK}" in log.getvalue()
    assert VALUE not in printed + log.getvalue()
    assert "YW5uOm5ldmVyLWluLWEtbG9n" not in printed
    sys.stdout.flush()
