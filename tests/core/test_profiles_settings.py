"""Who says what a backend is told: argument, profile, environment, default."""

import pytest

from sessionkit.config import Setting, Value, profile, resolve
from sessionkit.errors import ConfigurationError
from sessionkit.secrets import Secret, redact

SETTINGS = [
    Setting("customer", env=("ACME_CUSTOMER",), required=True),
    Setting("password", env=("ACME_PASSWORD", "ACME_PASS"), required=True),
    Setting("blob", secret=True),
    Setting("host", default="api.example.test"),
]


@pytest.fixture
def acme(tmp_path):
    path = tmp_path / "sessions.yaml"
    path.write_text("acme:\n  backend: b\n  customer: of-the-profile\n  more: 5\n")
    return profile("acme", path)


def origins(values):
    return {name: (value.value, value.origin.rpartition("/")[2]) for name, value in values.items()}


def test_the_order(acme):
    environ = {"ACME_CUSTOMER": "of-the-environment", "ACME_PASS": "pass-of-the-environment"}
    assert origins(resolve(SETTINGS, {"blob": "given", "own": 1, "host": None}, acme, environ)) == {
        "customer": ("of-the-profile", "sessions.yaml:3"),
        "password": ("pass-of-the-environment", "environment ACME_PASS"),
        "blob": ("given", "argument"),
        "host": ("api.example.test", "default"),
        "own": (1, "argument"),
        "more": (5, "sessions.yaml:4"),
    }
    assert origins(resolve(SETTINGS, {"customer": "given"}, acme, environ))["customer"] == (
        "given",
        "argument",
    )
    assert origins(resolve(SETTINGS, {}, None, environ))["customer"][0] == "of-the-environment"


def test_the_environment_of_the_process(monkeypatch):
    monkeypatch.setenv("ACME_CUSTOMER", "one")
    monkeypatch.setenv("ACME_PASSWORD", "first")
    monkeypatch.setenv("ACME_PASS", "second")
    assert resolve(SETTINGS, {})["password"].value == "first"


def test_what_is_required_and_missing(acme):
    with pytest.raises(ConfigurationError, match="password is missing") as caught:
        resolve(SETTINGS, {}, acme, {"ACME_PASSWORD": ""})
    assert (
        caught.value.hint
        == "give password=, set $ACME_PASSWORD, set $ACME_PASS, or name a profile that has it"
    )


def test_secrets_are_hidden():
    values = resolve(
        SETTINGS,
        {"customer": "acme", "password": Secret("of-the-argument"), "blob": "blob-of-bytes"},
        environ={},
    )
    assert values["password"].value == "of-the-argument"
    assert "of-the-argument" not in repr(values)
    assert "blob-of-bytes" not in repr(values)
    assert values["blob"].shown == "***"
    assert values["host"].shown == "api.example.test"
    assert redact("blob-of-bytes") == "***"


def test_nested_secrets_are_registered():
    assert repr(Value({"a": ["nested-secret", 123456, True, None]}, "argument", secret=True)) == (
        "Value(***, origin='argument')"
    )
    assert redact("nested-secret 123456 True") == "*** *** True"


def test_a_secret_s_absence_is_no_secret():
    assert repr(resolve([Setting("password")], {}, environ={})["password"]) == "Value(None, origin='default')"
