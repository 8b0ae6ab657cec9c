"""The `sessionkit` command as a person or a script uses it."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from sessionkit.cli import output
from sessionkit.cli.app import run
from sessionkit.errors import NotFound
from sessionkit_dyn.sandbox import DynService

PASSWORD = "sandbox-ann"


@pytest.fixture
def sandbox_options():
    return {"services": [DynService]}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home, and a folder to work in, of this test's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "SESSIONKIT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def profile(home, sandbox, monkeypatch):
    """`acme`, a profile that leads to the sandbox."""
    monkeypatch.setenv("ACME_PASSWORD", PASSWORD)
    lines = [
        "acme:",
        "  backend: dyn",
        "  customer: acme",
        "  username: ann",
        "  password: {env: ACME_PASSWORD}",
    ]
    lines += [f"  host: {sandbox.url}", "extra:", "  backend: dyn", "  password: {env: NOT_SET}"]
    (home / "sessions.yaml").write_text("\n".join(lines))
    (home / "sessions.yaml").chmod(0o600)
    return "acme"


def sessionkit(capsys, *arguments):
    status = run(list(arguments)) or 0
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize(
    "command", ["", "sandbox", "profiles", "login", "logout", "call", "demo", "backends", "completion"]
)
def test_help_teaches(capsys, command):
    status, out, _ = sessionkit(capsys, *filter(None, [command]), "--help")
    assert status == 0
    assert "Usage: sessionkit" in out
    assert re.search(r"^ *Examples:\n +(\$ )?\S", out, re.MULTILINE)  # on lines of their own
    assert "--json" in out or command in {"sandbox", "completion"}


def test_profiles_show_origins_and_hide_secrets(capsys, profile):
    status, out, _ = sessionkit(capsys, "profiles")
    assert status == 0
    assert PASSWORD not in out
    assert "***" in out
    assert "ACME_PASSWORD" in out
    rows = json.loads(sessionkit(capsys, "profiles", "--json")[1])
    by_name = {(row["profile"], row["argument"]): row for row in rows}
    assert by_name["acme", "customer"] == {
        "profile": "acme",
        "argument": "customer",
        "value": "acme",
        "origin": "sessions.yaml:3",
    }
    assert "NOT_SET" in by_name["extra", "password"]["value"]


def test_no_profiles_says_where_they_would_be(capsys, home):
    status, out, _ = sessionkit(capsys, "profiles")
    assert status == 0
    assert "sessions.yaml" in out


def test_a_call_is_a_table_for_people_and_json_for_programs(capsys, profile):
    status, out, _ = sessionkit(capsys, "call", profile, "GET", "/Zone/", "detail=Y")
    assert status == 0
    assert "│ shop.example" in out.replace("┃", "│")
    status, out, _ = sessionkit(capsys, "call", profile, "GET", "/Zone/", '{"detail": "Y"}', "--json")
    assert {zone["zone"] for zone in json.loads(out)["data"]} == {"shop.example", "lan.example"}


def test_changes_are_published_by_a_later_call_once_logged_in(capsys, profile, sandbox):
    assert sessionkit(capsys, "login", profile)[0] == 0
    uri = "/ARecord/shop.example/new.shop.example/"
    assert (
        sessionkit(capsys, "call", profile, "POST", uri, 'rdata:={"address": "192.0.2.77"}', "ttl:=60")[0]
        == 0
    )
    assert sessionkit(capsys, "call", profile, "PUT", "/Zone/shop.example", "publish:=true")[0] == 0
    out = sessionkit(capsys, "call", profile, "GET", uri, "detail=Y", "--json")[1]
    assert json.loads(out)["data"][0]["rdata"] == {"address": "192.0.2.77"}
    logins = [seen for seen in sandbox.requests(path="/REST/Session/") if seen.method == "POST"]
    assert len(logins) == 1


def test_login_keeps_a_token_only_its_user_can_read_and_logout_gives_it_back(capsys, profile, sandbox, home):
    out = sessionkit(capsys, "login", profile, "--json")[1]
    assert json.loads(out)["target"] == profile
    (tokens,) = (home / ".config" / "sessionkit").glob("tokens.json")
    assert tokens.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in tokens.read_text()
    status, out, _ = sessionkit(capsys, "logout", profile)
    assert (status, out) == (0, "Signed out of acme.\n")
    assert [seen.method for seen in sandbox.requests(path="/REST/Session/")][-1] == "DELETE"
    assert "no kept token" in sessionkit(capsys, "logout", profile)[1]
    assert json.loads(sessionkit(capsys, "logout", profile, "--json")[1]) == {
        "target": "acme",
        "signed_out": False,
    }
    sessionkit(capsys, "login", profile)
    assert json.loads(sessionkit(capsys, "logout", profile, "--json")[1])["signed_out"]


def test_without_login_a_call_signs_in_and_its_token_is_kept(capsys, profile, home):
    sessionkit(capsys, "call", profile, "GET", "/Zone/")
    assert (home / ".config" / "sessionkit" / "tokens.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["call", "nobody", "GET", "/x"], "neither a profile nor a backend"),
        (["call", "acme", "GET", "/Zone/nope.test"], "No such zone"),
        (["call", "acme", "GET", "/Zone/", "nonsense"], "neither name=value"),
        (["call", "acme", "GET", "/Zone/", "x:=oops"], "not JSON"),
        (["call", "extra", "GET", "/Zone/"], "NOT_SET"),
        (["call", "acme", "BREW", "/Zone/"], "BREW"),
        (["demo", "nothing"], "no demo is called"),
        (["profiles", "nobody"], "no profile"),
        (["nonsense"], "No such command"),
    ],
)
def test_mistakes_are_one_clear_error_without_a_traceback(capsys, profile, arguments, words):
    status, out, err = sessionkit(capsys, *arguments)
    assert status in {1, 2}
    assert words in " ".join(err.split())
    assert "Traceback" not in err
    assert not out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(capsys, shell):
    status, out, _ = sessionkit(capsys, "completion", shell)
    assert status == 0
    assert "_SESSIONKIT_COMPLETE" in out


def completed(*words):
    asked = {
        "COMP_WORDS": " ".join(["sessionkit", *words]),
        "COMP_CWORD": str(len(words)),
        "_SESSIONKIT_COMPLETE": "bash_complete",
    }
    done = subprocess.run(
        [sys.executable, "-m", "sessionkit.cli"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["pro"], ["profiles"]),
        (["call", "ac"], ["acme"]),
        (["login", "he"], ["helios"]),
        (["profiles", "e"], ["extra"]),
        (["call", "acme", "p"], ["POST", "PUT", "PATCH"]),
        (["demo", "d"], ["dyn"]),
    ],
)
def test_completion_knows_commands_profiles_backends_and_methods(profile, words, found):
    assert completed(*words) == found


def test_completion_survives_a_file_that_cannot_be_read(home):
    (home / "sessions.yaml").write_text("a: [")
    assert completed("call", "d") == ["dyn", "dyn-mm"]


# --- the sandbox around a program ---


def around(*program, **options):
    return subprocess.run(
        [sys.executable, "-m", "sessionkit.cli", "sandbox", "--", *program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def test_the_sandbox_runs_a_program_and_ends_with_it(home):
    code = (
        "import os, sys, urllib.request as r; url = os.environ['SESSIONKIT_SANDBOX_URL']; "
        "print(url, r.urlopen(url + '/_sandbox/requests').status, os.environ['DYN_HOST'], sys.argv[1:]); "
        "sys.exit(7)"
    )
    done = around(sys.executable, "-c", code, "--port", "x")
    assert done.returncode == 7, done.stderr
    url, *rest = done.stdout.split(maxsplit=3)
    assert rest == ["200", "127.0.0.1", "['--port', 'x']\n"]
    with pytest.raises(OSError):
        urllib.request.urlopen(url, timeout=5)


def test_a_program_that_is_none_is_one_clear_error(home):
    done = around("no-such-program")
    assert done.returncode == 1
    assert "no-such-program cannot be run" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_program_killed_by_a_signal_is_counted_as_a_shell_would(home):
    assert around("sh", "-c", "kill -9 $$").returncode == 128 + 9


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 128 + 15), (signal.SIGINT, 0)])
def test_signals_are_the_programs_to_answer(home, number, status):
    program = ["sh", "-c", "echo ready; sleep 1 & wait $!; exit 0"]
    command = [sys.executable, "-m", "sessionkit.cli", "sandbox", "--", *program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)  # to the sandbox only
        assert process.wait(20) == status


# --- errors in a terminal ---


def test_a_long_error_is_one_line_where_no_terminal_ends_it(capsys):
    url = "http://127.0.0.1/" + "very-long-path/" * 20
    output.complain(NotFound("words " * 40, method="GET", url=url, status=404))
    err = capsys.readouterr().err
    assert f"asked: GET {url} (HTTP 404)\n" in err


def test_a_terminal_breaks_lines_between_words_only(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    url = "http://127.0.0.1/" + "very-long-path/" * 20
    words = "there is nothing of that name, and nothing that resembles it in any way"
    output.complain(NotFound(words, hint=words, method="GET", url=url, status=404))
    err = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().err)
    assert url in err
    assert set(words.split()) <= set(err.split())
    assert all(len(line) <= 40 for line in err.splitlines() if url not in line)


def test_the_sandbox_says_where_it_is_and_stops_when_told(home):
    process = subprocess.Popen(
        [sys.executable, "-m", "sessionkit.cli", "sandbox"], stdout=subprocess.PIPE, text=True
    )
    try:
        line = json.loads(process.stdout.readline())
        with urllib.request.urlopen(f"{line['url']}/_sandbox/requests", timeout=10) as answer:
            assert answer.status == 200
        assert line["env"]["DYN_HOST"] == "127.0.0.1"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_demo_does_a_days_work(home):
    done = subprocess.run(
        [sys.executable, "-m", "sessionkit.cli", "demo", "review"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "✗" not in done.stdout
    assert "hear of it from the event server" in " ".join(done.stdout.split())
    assert not list(home.iterdir())


def test_every_demo_in_json_leaves_nothing_but_pictures_to_look_at(home, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "sessionkit.cli", "demo", "--json"],
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    steps = json.loads(done.stdout)
    assert {step["backend"] for step in steps} == {"dyn", "helios", "redengine", "review"}
    assert {frozenset(step) for step in steps} == {frozenset(("backend", "step", "results", "milliseconds"))}
    left = {path.name for path in temporary.rglob("*") if path.is_file() and path.parent.name != "pictures"}
    assert left == {"contact-sheet.jpg"}
    assert list(home.iterdir()) == [temporary]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_odd_characters_of_a_service_are_shown_in_any_terminal(encoding):
    code = (
        "from sessionkit.cli import output\n"
        "value = [{'name': 'half \\ud800 \\xfc \\U0001f600'}]\n"
        "output.as_json(value); output.show(value)"
    )
    environ = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, timeout=60, check=True
    )
    text = done.stdout.decode(encoding)
    decoder = json.JSONDecoder()
    assert decoder.raw_decode(text)[0] == [{"name": "half \ud800 \xfc \U0001f600"}]
