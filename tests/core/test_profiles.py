"""Profiles: found where they belong, read safely, every value with its origin, each mistake with its line."""

import logging
import os
import textwrap

import pytest

from sessionkit import config
from sessionkit.config import load_profiles, profile, profile_paths
from sessionkit.config import profiles as module
from sessionkit.errors import ConfigurationError
from sessionkit.secrets import encrypt, redact

SIMPLE = """
acme:
  backend: dyn
  customer: acme
  username: ann
  password: "in the file itself"
  timeout: 12.5
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home, a current directory, and an environment that says nothing of profiles."""
    for variable in ("SESSIONKIT_CONFIG", "SESSIONKIT_KEY", "XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.delenv(variable, raising=False)
    home = tmp_path / "home"
    here = home / "project"
    here.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    monkeypatch.setattr(module, "_warned", set())
    return home


@pytest.fixture
def write(home):
    def write(text, path=home / "project" / "sessions.yaml", mode=0o600):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(textwrap.dedent(text).encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return path

    return write


def test_arguments_and_their_origins(write):
    write(SIMPLE)
    acme = profile("acme")
    assert acme.backend == "dyn"
    assert acme.origin == "sessions.yaml:2"
    assert acme.arguments() == {
        "customer": "acme",
        "username": "ann",
        "password": "in the file itself",
        "timeout": 12.5,
    }
    assert {name: value.origin for name, value in acme.values().items()} == {
        "customer": "sessions.yaml:4",
        "username": "sessions.yaml:5",
        "password": "sessions.yaml:6",
        "timeout": "sessions.yaml:7",
    }


def test_secrets_are_hidden_and_registered(write):
    write(SIMPLE)
    acme = profile("acme")
    shown = f"{acme} {acme!r} {acme.values()!r} {acme.value('password').shown}"
    assert "in the file itself" not in shown
    assert "ann" in shown
    assert redact("it is in the file itself.") == "it is ***."


def test_where_profiles_are_looked_for(home, write, monkeypatch):
    assert profile_paths() == [home / "project/sessions.yaml", home / ".config/sessionkit/sessions.yaml"]
    write(
        "one: {backend: of-the-user}\ntwo: {backend: of-the-user}\n",
        home / ".config/sessionkit/sessions.yaml",
    )
    write("one: {backend: of-the-project}\n")
    assert {name: found.backend for name, found in load_profiles().items()} == {
        "one": "of-the-project",
        "two": "of-the-user",
    }
    assert profile("two").origin == "~/.config/sessionkit/sessions.yaml:2"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    write("three: {backend: xdg}\n", home / "xdg/sessionkit/sessions.yaml")
    assert set(load_profiles()) == {"one", "three"}
    monkeypatch.setenv("SESSIONKIT_CONFIG", "~/named.yaml")
    write("four: {backend: named}\n", home / "named.yaml")
    assert set(load_profiles()) == {"four"}
    assert profile("one", home / "project/sessions.yaml").backend == "of-the-project"


def test_no_file_is_no_profile(home):
    assert load_profiles() == {}
    with pytest.raises(ConfigurationError, match=r"no profile 'acme' in sessions\.yaml, ~/\.config"):
        profile("acme")


def test_a_named_file_must_be_there(home, monkeypatch):
    monkeypatch.setenv("SESSIONKIT_CONFIG", str(home / "missing.yaml"))
    with pytest.raises(ConfigurationError, match=r"missing\.yaml cannot be read: No such file"):
        load_profiles()


def test_a_deleted_current_directory_is_no_error(write, home):
    write("one: {backend: b}\n", home / ".config/sessionkit/sessions.yaml")
    (home / "project").rmdir()
    assert set(load_profiles()) == {"one"}


def test_an_unknown_profile_names_the_nearest(write):
    write("production: {backend: b}\nstaging: {backend: b}\n")
    with pytest.raises(ConfigurationError, match="did you mean 'production'"):
        profile("prodction")
    with pytest.raises(ConfigurationError, match="there are production, staging"):
        profile("xyz")


def test_the_forms(write, home, monkeypatch):
    (home / "project" / "password.txt").write_text("from the file\n")
    (home / "in-the-home").write_bytes(b"from the home\r\n")
    key = "the passphrase of the test"
    path = write(
        f"""
        acme:
          backend: b
          username: {{env: ACME_USER}}
          password: {{file: password.txt}}
          pin: {{file: ~/in-the-home}}
          note: {{encrypted: "{encrypt("from the ciphertext", key)}"}}
          headers:
            X-Deep: [{{env: ACME_USER}}, 5, null]
        """
    )
    acme = profile("acme", path)
    values = acme.values({"ACME_USER": "from the environment", "SESSIONKIT_KEY": key})
    assert {name: value.value for name, value in values.items()} == {
        "username": "from the environment",
        "password": "from the file",
        "pin": "from the home",
        "note": "from the ciphertext",
        "headers": {"X-Deep": ["from the environment", 5, None]},
    }
    assert values["username"].origin == "sessions.yaml:4, environment ACME_USER"
    assert values["headers"].origin == "sessions.yaml:8, environment ACME_USER"
    assert values["note"].origin == "sessions.yaml:7, encrypted"
    assert [name for name, value in values.items() if value.secret] == ["password", "pin", "note"]


def test_one_missing_variable_does_not_spoil_the_others(write):
    write("one: {backend: b, password: {env: NOT_SET}}\ntwo: {backend: b, password: {env: SET}}\n")
    assert profile("two").arguments({"SET": "value"}) == {"password": "value"}
    with pytest.raises(
        ConfigurationError, match=r"sessions\.yaml:1: the environment variable NOT_SET is not set"
    ):
        profile("one").arguments({})


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("{env: EMPTY}", "EMPTY is not set"),
        ("{env: 5}", "needs a text"),
        ("{env: }", "needs a text"),
        ("{file: missing}", "missing cannot be read"),
        ("{file: .}", "is not a file"),
        ("{file: binary}", "not UTF-8"),
        ("{file: large}", "larger than"),
        ('{file: "a\\0b"}', "cannot be read"),
        ("{encrypted: garbage}", "key"),
        ("{encrypted: scrypt:AAAA:garbage}", "decrypted"),
        ("{vault: name}", "unknown form: vault"),
        ("{env: A, file: B}", "unknown form: env, file"),
        ("{}", "unknown form"),
    ],
)
def test_a_wrong_form_is_a_clear_error(write, home, form, message):
    (home / "project" / "binary").write_bytes(b"\xff\xfe")
    (home / "project" / "large").write_bytes(b"x" * (1 << 20) + b"x")
    write(f"acme:\n  backend: b\n  password: {form}\n")
    with pytest.raises(ConfigurationError, match=message) as caught:
        profile("acme").arguments({"EMPTY": "", "SESSIONKIT_KEY": "a passphrase"})
    assert "sessions.yaml:3: " in str(caught.value)


def test_an_encrypted_value_without_a_key(write):
    write(f"acme: {{backend: b, password: {{encrypted: '{encrypt('value', 'key')}'}}}}\n")
    with pytest.raises(ConfigurationError, match="there is no key"):
        profile("acme").arguments({})
    with pytest.raises(ConfigurationError, match="another key"):
        profile("acme").arguments({"SESSIONKIT_KEY": "wrong"})


class TestKeyring:
    @pytest.fixture
    def keyring(self, monkeypatch):
        keyring = pytest.importorskip("keyring")
        from keyring.backend import KeyringBackend

        class InMemory(KeyringBackend):
            priority = 1

            def get_password(self, service, username):
                if username == "locked":
                    raise keyring.errors.KeyringLocked("locked")
                return {("sessionkit", "acme"): "from the keyring"}.get((service, username))

            def set_password(self, service, username, password):
                raise NotImplementedError

        before = keyring.get_keyring()
        keyring.set_keyring(InMemory())
        yield keyring
        keyring.set_keyring(before)

    def test_a_password_of_the_keyring(self, write, keyring):
        write("acme: {backend: b, login: {keyring: acme}}\n")
        found = profile("acme").value("login")
        assert (found.value, found.origin, found.secret) == (
            "from the keyring",
            "sessions.yaml:1, keyring acme",
            True,
        )

    @pytest.mark.parametrize(
        ("name", "message"), [("nobody", "has no 'nobody'"), ("locked", "could not be read")]
    )
    def test_what_the_keyring_does_not_have(self, write, keyring, name, message):
        write(f"acme: {{backend: b, password: {{keyring: {name}}}}}\n")
        with pytest.raises(ConfigurationError, match=message):
            profile("acme").arguments()

    def test_a_missing_package_is_named(self, write, monkeypatch):
        import sys

        monkeypatch.setitem(sys.modules, "keyring", None)
        write("acme: {backend: b, password: {keyring: acme}}\n")
        with pytest.raises(ConfigurationError, match=r"sessionkit\[keyring\]"):
            profile("acme").arguments()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {backend: b\n", "sessions.yaml:2: "),
        ("a:\n  backend: b\n\tc: d\n", "sessions.yaml:3: "),
        ("a: {backend: b}\nb: {backend: b}\na: {backend: c}\n", "sessions.yaml:3: a is there twice"),
        ("a:\n  backend: b\n  x: 1\n  x: 2\n", "sessions.yaml:4: x is there twice"),
        ("a:\n  backend: b\n  h:\n    x: 1\n    x: 2\n", "sessions.yaml:5: x is there twice"),
        ("- a\n", "sessions.yaml:1: a profile file is a mapping"),
        ("just text\n", "sessions.yaml:1: a profile file is a mapping"),
        ("a: 5\n", "sessions.yaml:1: a must be a mapping"),
        ("a: {x: 1}\n", "sessions.yaml:1: the profile a names no backend"),
        ("a: {backend: 5}\n", "sessions.yaml:1: the profile a names no backend"),
        ("1: {backend: b}\n", "sessions.yaml:1: 1 must be"),
        ("a: {backend: b, 1: x}\n", "sessions.yaml:1: 1 must be a text"),
        ("a: {backend: b, ? [x] : y}\n", "sessions.yaml:1: "),
        ("? [x]\n: y\n", "sessions.yaml:1: "),
        ("a: !!python/object/apply:os.system [id]\n", "sessions.yaml:1: could not determine a constructor"),
        ("a: *nowhere\n", "sessions.yaml:1: found undefined alias"),
        ("a: &a {backend: b, x: *a}\n", "too large or too deeply nested"),
        ("a: {backend: b, when: 2024-13-45}\n", "sessions.yaml: month must be"),
        ("--- {}\n--- {}\n", "sessions.yaml:2: "),
        ("[" * 5000, "too deeply nested"),
        (b"\xff\xfe\xff", "sessions.yaml: "),
        (b"a: \0", "sessions.yaml: "),
        (b"x" * (1 << 20) + b"x", "larger than"),
    ],
    ids=range(23),
)
def test_a_wrong_file_is_a_clear_error(write, text, message):
    write(text)
    with pytest.raises(ConfigurationError, match=message):
        [found.arguments() for found in load_profiles().values()]


def test_a_bomb_of_anchors_does_not_go_off(write):
    levels = [f".{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 15)]
    lines = "\n".join(f"  {line}" for line in [".0: &l0 [x]", *levels])
    write(f".bomb:\n{lines}\nacme: {{backend: b, x: *l14}}\n")
    with pytest.raises(ConfigurationError, match="too large or too deeply nested"):
        profile("acme").arguments()


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}\n"])
def test_an_empty_file_is_no_profile(write, text):
    write(text)
    assert load_profiles() == {}


def test_anchors_and_merges(write):
    write(
        """
        .shared: &shared
          timeout: 5
          customer: everyone
        acme:
          <<: *shared
          backend: b
          customer: acme
        """
    )
    assert set(load_profiles()) == {"acme"}
    values = profile("acme").values()
    assert {name: (value.value, value.origin) for name, value in values.items()} == {
        "timeout": (5, "sessions.yaml:3"),
        "customer": ("acme", "sessions.yaml:8"),
    }


def test_a_password_is_what_was_typed(write):
    write("acme: {backend: b, password: 0123, token: yes, api_key: 1_000, secret: ~, port: 0123}\n")
    assert profile("acme").arguments() == {
        "password": "0123",
        "token": "yes",
        "api_key": "1_000",
        "secret": None,
        "port": 83,
    }


@pytest.mark.parametrize("what", ["directory", "pipe"])
def test_what_is_no_file_is_a_clear_error(home, what):
    path = home / "project" / "sessions.yaml"
    path.mkdir() if what == "directory" else os.mkfifo(path)
    with pytest.raises(ConfigurationError, match="is not a file"):
        load_profiles()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read anything")
def test_an_unreadable_file_is_a_clear_error(write):
    write(SIMPLE, mode=0)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        load_profiles()


@pytest.mark.parametrize(
    ("text", "mode", "warnings"),
    [
        (SIMPLE, 0o600, 0),
        (SIMPLE, 0o640, 1),
        (SIMPLE, 0o604, 1),
        ("acme: {backend: b, password: {env: X}, user: ann}\n", 0o644, 0),
    ],
)
def test_a_readable_file_with_secrets_is_warned_of_once(write, caplog, text, mode, warnings):
    write(text, mode=mode)
    load_profiles()
    load_profiles()
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * warnings
    assert "in the file itself" not in caplog.text


def test_the_public_names_are_there():
    assert [name for name in config.__all__ if not hasattr(config, name)] == []
