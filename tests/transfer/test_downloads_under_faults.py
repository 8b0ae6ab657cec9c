"""Whatever happens on the way: a file is complete and right under its name, or it is reported."""

import hashlib
import json
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from files_service import content, md5

from sessionkit.errors import CallTimeout, ConnectionFailed, RateLimited
from sessionkit.testing.tools import wait_until
from sessionkit.transfer import Damaged, NotWritten, download

NAME = "big-3000000.bin"


def statuses(sandbox):
    return [each.status for each in sandbox.requests()]


@pytest.mark.parametrize("kind", ["truncate", "stall"])
def test_a_body_that_breaks_off_is_carried_on(session, item, sandbox, complete, clock, kind):
    session.timeout = 0.5
    sandbox.fault(kind, times=2)
    result = download(session, [item(NAME, checksum="etag")], clock=clock)
    assert result.ok
    assert result.all[0].received == 3_000_000
    assert statuses(sandbox) == [200, 206, 206]
    complete(NAME)


def test_a_body_that_breaks_off_is_fetched_anew_where_ranges_are_unknown(
    session, item, sandbox, service, complete, clock
):
    service.ranges = False
    sandbox.fault("truncate")
    result = download(session, [item(NAME)], clock=clock)
    assert result.all[0].received == 4_500_000
    assert statuses(sandbox) == [200, 200]
    complete(NAME)


@pytest.mark.parametrize("etag", ["", 'W/"weak"', '"a b"'])
def test_a_body_is_not_carried_on_without_a_strong_etag(
    session, item, sandbox, service, complete, clock, etag
):
    service.headers[NAME] = {"ETag": etag}
    sandbox.fault("truncate")
    assert download(session, [item(NAME)], clock=clock).ok
    assert statuses(sandbox) == [200, 200]
    complete(NAME)


def test_a_file_that_changes_between_attempts_is_fetched_anew(session, item, sandbox, service, folder, clock):
    other = bytes(2_000_000)

    def accept(answer):
        service.changed[NAME] = other
        return True

    sandbox.fault("truncate")
    assert download(session, [item(NAME, checksum="etag")], accept=accept, clock=clock).ok
    assert (folder / NAME).read_bytes() == other
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_a_service_that_breaks_off_for_ever_is_given_up_and_the_part_is_kept(
    session, item, sandbox, folder, clock, complete
):
    sandbox.fault("truncate", times=None, bytes=1000)
    result = download(session, [item(NAME, checksum="etag")], attempts=3, clock=clock)
    assert isinstance(result.failed[0].error, ConnectionFailed)
    assert result.failed[0].received == 3000
    assert sorted(path.name for path in folder.iterdir()) == [f"{NAME}.part", f"{NAME}.part.etag"]
    sandbox.clear()
    again = result.retry()
    assert again.ok
    assert again.all[0].received == 3_000_000 - 3000
    assert statuses(sandbox) == [206]
    complete(NAME)


def test_attempts_that_bring_much_are_not_counted(session, item, sandbox, complete, clock):
    sandbox.fault("truncate", times=2, bytes=1_100_000)
    assert download(session, [item(NAME)], attempts=1, clock=clock).ok
    complete(NAME)


@pytest.mark.parametrize("note", [b'"\r\nX-Evil: 1"', b"\xff\xfe", b"", b'W/"1"', b'"other"'])
def test_a_part_that_is_of_something_else_is_not_carried_on(session, item, sandbox, folder, complete, note):
    folder.mkdir()
    (folder / f"{NAME}.part").write_bytes(b"x" * 500)
    (folder / f"{NAME}.part.etag").write_bytes(note)
    assert download(session, [item(NAME)]).ok
    assert statuses(sandbox) == [200]
    complete(NAME)


def test_a_part_that_is_whole_already_is_checked_again(session, item, sandbox, folder, complete):
    folder.mkdir()
    (folder / f"{NAME}.part").write_bytes(content(NAME))
    (folder / f"{NAME}.part.etag").write_text(f'"{md5(content(NAME))}"')
    assert download(session, [item(NAME, checksum="etag")]).ok
    complete(NAME)


def test_a_part_with_wrong_bytes_is_found_out_by_the_checksum(session, item, folder, complete, clock):
    folder.mkdir()
    (folder / f"{NAME}.part").write_bytes(b"x" * 500)
    (folder / f"{NAME}.part.etag").write_text(f'"{md5(content(NAME))}"')
    assert download(session, [item(NAME, checksum="etag")], clock=clock).ok
    complete(NAME)


def test_unavailable_with_retry_after_is_waited_for(session, item, sandbox, complete):
    sandbox.fault("throttle", status=503, retry_after="0", times=3)
    assert download(session, [item("a-1000.bin")]).ok
    assert statuses(sandbox) == [503, 503, 503, 200]
    complete("a-1000.bin")


def test_unavailable_for_ever_is_reported(session, item, sandbox, folder):
    sandbox.fault("throttle", status=503, retry_after="0", times=None)
    result = download(session, [item("a-1000.bin")])
    assert isinstance(result.failed[0].error, RateLimited)
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["reset", "hang_up", "latency"])
def test_other_trouble_of_the_connection_is_got_over(session, item, sandbox, complete, kind):
    sandbox.fault(kind, times=2)
    assert download(session, [item("a-1000.bin"), item("b-1000.bin"), item("c-1000.bin")], concurrency=1).ok
    complete("a-1000.bin", "b-1000.bin", "c-1000.bin")


def test_a_silent_service_is_reported_in_time(session, item, sandbox, folder):
    sandbox.fault("silent")
    result = download(session, [item("a-1000.bin"), item("b-1000.bin")], timeout=1.0)
    assert sorted(each.state for each in result) == ["failed", "fetched"]
    assert isinstance(result.failed[0].error, CallTimeout)


def test_another_length_than_promised_is_damage(session, item, folder):
    result = download(session, [item("a-1000.bin", size=999)])
    assert isinstance(result.failed[0].error, Damaged)
    assert "1,000 bytes were announced, not 999" in str(result.failed[0].error)
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_another_checksum_than_promised_is_damage(session, item, folder, clock, sandbox, kind):
    right = hashlib.new(kind, content("a-1000.bin")).hexdigest()
    wrong = hashlib.new(kind, b"").hexdigest()
    items = [item("a-1000.bin", checksum=f"{kind}:{right}"), item("b-1000.bin", checksum=f"{kind}:{wrong}")]
    result = download(session, items, attempts=2, clock=clock)
    assert [each.state for each in result] == ["fetched", "failed"]
    assert isinstance(result.failed[0].error, Damaged)
    assert len(sandbox.requests()) == 3
    assert [path.name for path in folder.iterdir()] == ["a-1000.bin"]


def test_a_body_that_is_not_what_its_etag_says_is_damage(session, item, service, folder, clock):
    service.headers["a-1000.bin"] = {"ETag": f'"{md5(b"other")}"'}
    result = download(session, [item("a-1000.bin", checksum="etag")], attempts=2, clock=clock)
    assert isinstance(result.failed[0].error, Damaged)
    assert list(folder.iterdir()) == []


def test_an_etag_that_is_no_checksum_proves_nothing(session, item, service, complete):
    service.headers["a-1000.bin"] = {"ETag": '"d41d8cd98f00b204e9800998ecf8427e-12"'}
    assert download(session, [item("a-1000.bin", checksum="etag")]).ok
    complete("a-1000.bin")


@pytest.mark.parametrize("start", [10, 2_000_000])
def test_a_range_that_was_not_asked_for_is_not_appended(
    session, item, sandbox, folder, clock, start, monkeypatch
):
    lied, perform = [], session.perform

    def lying(call, **options):
        """Answer a request for the rest with bytes from elsewhere, once."""
        if "Range" in call.headers and not lied:
            lied.append(call)
            call.headers["Range"] = f"bytes={start}-"
        return perform(call, **options)

    monkeypatch.setattr(session, "perform", lying)
    sandbox.fault("truncate")
    assert download(session, [item(NAME)], clock=clock).ok
    assert (folder / NAME).read_bytes() == content(NAME)
    assert lied


def test_two_batches_of_the_same_file_do_not_mix_it(session, item, complete):
    barrier = threading.Barrier(2)
    results = []

    def fetch():
        barrier.wait()
        results.append(download(session, [item(NAME, checksum="etag")], existing="replace"))

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result.ok for result in results)
    complete(NAME)


@pytest.fixture
def small_files():
    """Files may grow to a megabyte in this process; more is refused as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_reported_and_nothing_is_left(session, item, folder, small_files):
    result = download(session, [item(NAME), item("a-1000.bin")])
    assert [each.state for each in result] == ["failed", "fetched"]
    error = result.failed[0].error
    assert isinstance(error, NotWritten)
    assert isinstance(error, OSError)
    assert error.path == folder / NAME
    assert [path.name for path in folder.iterdir()] == ["a-1000.bin"]


def test_a_folder_in_the_files_place_is_reported(session, item, folder):
    (folder / "a-1000.bin").mkdir(parents=True)
    result = download(session, [item("a-1000.bin")])
    assert isinstance(result.failed[0].error, NotWritten)
    assert [path.name for path in folder.iterdir()] == ["a-1000.bin"]


def test_a_file_in_the_folders_place_is_reported(session, item, folder):
    folder.write_bytes(b"")
    assert isinstance(download(session, [item("a-1000.bin")]).failed[0].error, NotWritten)


def test_many_files_through_a_bad_network(session, item, sandbox, complete, clock):
    names = [f"f{number}-{5000 + number}.bin" for number in range(200)]
    for kind in ("truncate", "reset", "lost_reply", "hang_up"):
        sandbox.fault(kind, times=8, after=10)
    sandbox.fault("throttle", status=503, retry_after="0", times=10)
    result = download(session, [item(name, checksum="etag") for name in names], concurrency=16, clock=clock)
    result = result if result.ok else result.retry()
    result.raise_for_failures()
    complete(*names)


CHILD = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    sys.path[:0] = [{tests!r}]
    from files_service import Files
    from sessionkit.transfer import Download, download
    with Files.detached({url!r}, timeout=30, proxies=False) as session:
        items = [Download(name, Path({folder!r}) / name.strip("/"), checksum="etag") for name in {names!r}]
        print("begun", flush=True)
        download(session, items, concurrency=4)
    """
)


@pytest.fixture
def child(sandbox, folder):
    """A process that downloads; killed at the end if it lives."""
    started = []

    def child(names):
        code = CHILD.format(
            tests=str(Path(__file__).parent), url=f"{sandbox.url}/files", folder=str(folder), names=names
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        started.append(process)
        return process

    yield child
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_batch_that_is_stopped_leaves_whole_files_and_parts_that_are_carried_on(
    session, item, sandbox, folder, child, complete, how
):
    huge = "huge-8000000.bin"
    sandbox.fault("stall", path=f"/files/{huge}", bytes=5_000_000)
    process = child([f"/{huge}", "/a-1000.bin", "/b-1000.bin"])

    def is_stalled():
        part = folder / f"{huge}.part"
        return (folder / "b-1000.bin").exists() and part.exists() and part.stat().st_size == 5_000_000

    wait_until(is_stalled, 20.0)
    process.send_signal(how)
    _, errors = process.communicate(timeout=10)
    assert process.returncode != 0
    if how == signal.SIGINT:
        assert errors.decode().rstrip().endswith("KeyboardInterrupt")
    assert not (folder / huge).exists()
    assert (folder / f"{huge}.part.etag").read_text() == f'"{md5(content(huge))}"'
    names = [huge, "a-1000.bin", "b-1000.bin"]
    result = download(session, [item(name, checksum="etag") for name in names])
    assert [each.state for each in result] == ["fetched", "present", "present"]
    assert result.all[0].received == 3_000_000
    complete(*names)


def test_memory_does_not_grow_with_the_files(sandbox, folder, tmp_path):
    code = textwrap.dedent(
        """
        import json, resource, sys
        from pathlib import Path
        sys.path[:0] = [sys.argv[1]]
        from files_service import Files
        from sessionkit.transfer import Download, download
        def run(count):
            items = (Download(f"/x-400000.bin?{n}", Path(sys.argv[3]) / f"{n}.bin") for n in range(count))
            assert download(session, items, concurrency=8).ok
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with Files.detached(sys.argv[2], timeout=30, proxies=False) as session:
            print(json.dumps([run(16), run(160)]))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code, Path(__file__).parent, f"{sandbox.url}/files", folder],
        check=True,
        capture_output=True,
        timeout=60,
    )
    few, many = json.loads(done.stdout)
    assert many - few < 8_000  # kilobytes; the files are 64 MB together
    assert len(list(folder.iterdir())) == 160


def test_a_file_in_its_place_is_never_taken_for_a_part(tmp_path):
    from sessionkit.transfer.part import PartFile

    path = tmp_path / "file"
    body = bytes(10_000)
    torn, done = [], threading.Event()

    def write():
        for _ in range(200):
            with PartFile(path) as part:
                part.begin('"etag"', None, len(body))
                part.write(body)
                part.complete()

    def read():
        while not done.is_set():
            if path.exists() and path.read_bytes() != body:
                torn.append(path.stat().st_size)

    writers = [threading.Thread(target=write) for _ in range(4)]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert torn == []
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
