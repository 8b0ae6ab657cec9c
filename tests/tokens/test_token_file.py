"""The token file: private, never half written, and harmless whatever it contains."""

import errno
import json
import logging
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from sessionkit.clock import Deadline
from sessionkit.errors import DeadlineExceeded
from sessionkit.files import temporary_name
from sessionkit.tokens import FileTokenStore, Token, TokenSource, document

TOKEN = Token("value-in-the-file", 2e9, issued_at=1.7e9)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "made" / "for it" / "tokens.json"


@pytest.fixture
def store(path):
    return FileTokenStore(path)


@pytest.fixture
def damage(path):
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def unprivileged():
    """A directory, and a process that is not root while the test runs, so that modes count."""
    directory = Path(tempfile.mkdtemp())
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        os.chown(directory, 65534, 65534)
        os.seteuid(65534)
    yield directory
    if root:
        os.seteuid(0)
    directory.chmod(0o700)
    shutil.rmtree(directory)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_saved_is_loaded(store, path):
    assert store.load("k") is None
    store.save("k", TOKEN)
    store.save("other", Token("another"))
    assert FileTokenStore(path).load("k") == TOKEN
    store.remove("k")
    store.remove("never there")
    assert store.load("k") is None
    assert store.load("other").value == "another"


def test_file_and_directories_are_private(store, path):
    umask = os.umask(0)
    try:
        store.save("k", TOKEN)
        with store.lock("k", Deadline.after(1)):
            pass
    finally:
        os.umask(umask)
    assert {mode(file) for file in path.parent.iterdir()} == {0o600}
    assert mode(path.parent) == mode(path.parent.parent) == 0o700


def test_the_file_is_private_from_its_first_byte(store, path, monkeypatch):
    modes = []
    real = os.fsync

    def watch(descriptor):
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    store.save("k", TOKEN)
    assert modes[0] == 0o600


def test_a_directory_that_was_there_is_left_alone(tmp_path):
    tmp_path.chmod(0o755)
    FileTokenStore(tmp_path / "tokens.json").save("k", TOKEN)
    assert mode(tmp_path) == 0o755


def test_identities_appear_neither_in_names_nor_in_the_file(store, path):
    key = "../../../escape/of/ann@example.test\0"
    store.save(key, TOKEN)
    with store.lock(key, Deadline.after(1)):
        assert store.load(key) == TOKEN
    assert "ann" not in path.read_text()
    everything = [file for file in path.parents[2].rglob("*") if file.is_file()]
    assert {file.parent for file in everything} == {path.parent}
    assert not [file for file in everything if "escape" in file.name]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'"text"',
        b"\xff\xfe\x00",
        b'{"version": 2, "tokens": {}}',
        b'{"version": 1, "tokens": []}',
        b'{"version": 1, "tokens": {"a": 5}}',
        b'{"name": "Authorization", "value": "Bearer abc"}',
        b"[" * 100_000,
        b"1" * 5_000,
        b'{"version": 1, "tokens": {"x": "' + b"a" * document.MAX_BYTES + b'"}}',
    ],
    ids=lambda content: repr(content[:24]),
)
def test_damaged_content_is_no_token_and_heals(damage, store, content):
    damage.write_bytes(content)
    assert store.load("k") is None
    store.save("k", TOKEN)
    assert store.load("k") == TOKEN
    assert mode(damage) == 0o600


def test_a_damaged_entry_leaves_the_others(store, path):
    store.save("k", TOKEN)
    store.save("other", TOKEN)
    data = json.loads(path.read_text())
    first = next(iter(data["tokens"]))
    data["tokens"][first] = {"value": ["odd"]}
    path.write_text(json.dumps(data))
    assert sorted([store.load("k") is None, store.load("other") is None]) == [False, True]


def test_a_file_cut_short_anywhere_is_no_token(store, path):
    store.save("k", TOKEN)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert store.load("k") is None


def test_a_directory_in_its_place_is_no_token(damage, store, caplog):
    damage.mkdir()
    assert store.load("k") is None
    store.save("k", TOKEN)
    store.save("k", TOKEN)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "a token of its own" in caplog.text


def test_a_pipe_in_its_place_is_no_token(damage, store):
    os.mkfifo(damage)
    assert store.load("k") is None


def test_symbolic_links_are_not_followed(damage, store, tmp_path):
    victim = tmp_path / "victim.json"
    FileTokenStore(victim).save("k", TOKEN)
    before = victim.read_bytes()
    damage.symlink_to(victim)
    assert store.load("k") is None
    store.save("k", Token("a new one"))
    assert victim.read_bytes() == before
    assert not damage.is_symlink()
    assert store.load("k").value == "a new one"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_another_user_s_file_is_not_trusted(store, path):
    store.save("k", TOKEN)
    os.chown(path, 4711, 4711)
    assert store.load("k") is None


def test_a_name_that_no_system_allows_is_warned_of(clock, endpoint, caplog):
    source = TokenSource(endpoint, key="k", store=FileTokenStore("a\0b"), clock=clock)
    assert source.get() is source.get()
    assert len(caplog.records) == 1


def test_where_nothing_can_be_written_the_token_lives_in_memory(tmp_path, clock, endpoint, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("no directory")
    source = TokenSource(endpoint, key="k", store=FileTokenStore(blocked / "tokens.json"), clock=clock)
    token = source.get()
    assert source.get() is token
    source.get(refused=token)
    source.forget()
    assert len(caplog.records) == 1
    assert "a token of its own" in caplog.text


def test_a_read_only_directory_is_read_and_warned_of(unprivileged, clock, endpoint, caplog):
    store = FileTokenStore(unprivileged / "tokens.json", clock=clock)
    store.save("k", Token("good-for-long", clock.time() + 3600, issued_at=clock.time()))
    unprivileged.chmod(0o500)
    source = TokenSource(endpoint, key="k", store=store, clock=clock)
    token = source.get()
    assert token.value == "good-for-long"
    assert source.get(refused=token).value == "token-number-1"
    assert source.get(refused=source.get()).value == "token-number-2"
    assert len(caplog.records) == 1
    assert store.load("k") == token


def test_an_unreadable_file_is_no_token(unprivileged):
    store = FileTokenStore(unprivileged / "tokens.json")
    store.save("k", TOKEN)
    store.path.chmod(0)
    assert store.load("k") is None
    store.save("k", TOKEN)
    assert store.load("k") == TOKEN


def test_a_full_disk_leaves_the_old_file(store, path, monkeypatch, caplog):
    store.save("k", TOKEN)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        store.save("k", Token("does not fit"))
    assert store.load("k") == TOKEN
    assert "No space left" in caplog.text
    assert not list(path.parent.glob("*.tmp"))


WRITER = textwrap.dedent("""
    import sys
    from sessionkit.tokens import FileTokenStore, Token
    store = FileTokenStore(sys.argv[1])
    print("ready", flush=True)
    n = 0
    while True:
        n += 1
        store.save("k", Token(f"value-{n}", 2e9, extra={"padding": "x" * 20000}))
""")


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(store, path):
    store.save("k", TOKEN)
    for moment in (0.0, 0.003, 0.01, 0.017, 0.03):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            time.sleep(moment)
            writer.send_signal(signal.SIGKILL)
        assert store.load("k") is not None
        start = time.monotonic()
        store.save("k", TOKEN)
        assert time.monotonic() - start < 2
        assert store.load("k") == TOKEN


STEPPER = textwrap.dedent("""
    import os, signal, sys
    from sessionkit.tokens import FileTokenStore, Token

    store = FileTokenStore(sys.argv[1])
    store.save("k", Token("value-0", 2e9))

    def die_at(step):
        def trace(frame, event, argument):
            nonlocal step
            if not frame.f_code.co_filename.endswith(("document.py", "files.py")):
                return None
            step -= event == "line"
            if step == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace
        return trace

    step = 0
    while True:
        step += 1
        child = os.fork()
        if child == 0:
            sys.settrace(die_at(step))
            store.save("k", Token(f"value-{step}", 2e9))
            os._exit(0)
        finished = os.waitpid(child, 0)[1] == 0
        print(step, store.load("k").value, flush=True)
        if finished:
            break
        for leftover in store.path.parent.glob("*.tmp"):  # looking at them takes lines
            leftover.unlink()
""")


def test_a_writer_killed_at_any_line_leaves_the_old_file_or_the_new_one(path):
    done = subprocess.run(
        [sys.executable, "-c", STEPPER, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    found = [line.split() for line in done.stdout.splitlines()]
    assert len(found) > 20
    before = "value-0"
    for step, value in found:
        assert value in {before, f"value-{step}"}
        before = value
    assert before == f"value-{len(found)}"


def test_leftovers_of_killed_writers_are_swept_away(store, path):
    store.save("k", TOKEN)
    old, new = (path.parent / temporary_name(path, tag) for tag in ("old", "new"))
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    store.save("k", TOKEN)
    assert not old.exists()
    assert new.exists()


def test_the_lock_excludes_other_stores_until_the_deadline(store, path):
    with store.lock("k", Deadline.after(5)):
        with pytest.raises(DeadlineExceeded), FileTokenStore(path).lock("k", Deadline.after(0.1)):
            pytest.fail("two hold it")
        with FileTokenStore(path).lock("another key", Deadline.after(1)):
            pass
    with FileTokenStore(path).lock("k", Deadline.after(1)):
        pass


def test_a_file_system_without_locks_still_keeps_tokens(store, clock, endpoint, monkeypatch, caplog):
    fcntl = pytest.importorskip("fcntl")

    def missing(descriptor, operation):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", missing)
    token = TokenSource(endpoint, key="k", store=store, clock=clock).get()
    assert FileTokenStore(store.path).load("k") == token
    assert len(caplog.records) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_forked_while_the_lock_is_held_does_not_free_it(store, path):
    with store.lock("k", Deadline.after(5)):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        with pytest.raises(DeadlineExceeded), FileTokenStore(path).lock("k", Deadline.after(0.1)):
            pytest.fail("two hold it")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_that_leaves_the_block_does_not_free_its_parent_s_lock(store, path):
    read_end, write_end = os.pipe()
    pid = 1
    with store.lock("k", Deadline.after(5)):
        pid = os.fork()
        if pid != 0:
            assert os.read(read_end, 1) == b"."
            with pytest.raises(DeadlineExceeded), FileTokenStore(path).lock("k", Deadline.after(0.1)):
                pytest.fail("two hold it")
    if pid == 0:
        os.write(write_end, b".")
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(read_end)
    os.close(write_end)


def test_formats_of_earlier_clients_are_read_through_a_hook(damage):
    def authorization(content):
        return Token(json.loads(content)["value"].removeprefix("Bearer "))

    def broken(content):
        raise RuntimeError("a reader's own mistake")

    damage.write_text('{"name": "Authorization", "value": "Bearer of-old"}')
    store = FileTokenStore(damage, readers=[broken, lambda _: None, authorization])
    assert store.load("k").value == "of-old"
    store.save("k", TOKEN)
    assert store.load("k") == TOKEN
    assert store.load("other") is None


def test_files_of_earlier_clients_are_read_and_never_written(tmp_path):
    legacy = tmp_path / "client.old_token"
    legacy.write_bytes(b"of-old")
    before = legacy.stat().st_mtime_ns
    readers = [lambda content: Token(content.decode())]
    store = FileTokenStore(tmp_path / "tokens.json", readers=readers, legacy=[tmp_path / "none", legacy])
    assert store.load("k").value == "of-old"
    store.save("k", TOKEN)
    store.save("other", TOKEN)
    store.remove("other")
    assert store.load("k") == TOKEN
    assert legacy.read_bytes() == b"of-old"
    assert legacy.stat().st_mtime_ns == before


def test_tokens_long_ended_leave_the_file(path, clock):
    store = FileTokenStore(path, clock=clock)
    store.save("ended", Token("ended", clock.time() + 10, issued_at=clock.time()))
    clock.advance(3600)
    store.save("k", TOKEN)
    assert store.load("ended").value == "ended"
    clock.advance(31 * 24 * 3600)
    store.save("k", TOKEN)
    assert store.load("ended") is None
    assert "ended" not in path.read_text()


def test_the_file_does_not_grow_for_ever(store, path):
    tokens = {f"{n:064d}": Token(f"value {n}", issued_at=float(n)) for n in range(300)}
    path.parent.mkdir(parents=True)
    path.write_bytes(document.encode(tokens))
    store.save("k", TOKEN)
    assert store.load("k") == TOKEN
    kept = set(document.decode(path.read_bytes()))
    assert len(kept) == 256
    assert kept > {f"{n:064d}" for n in range(45, 300)}


def test_the_home_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert FileTokenStore("~/tokens.json").path == tmp_path / "tokens.json"
    assert isinstance(FileTokenStore("relative.json").path, Path)
