"""What reaches the disk: whole files, on a full disk and through a power cut or a kill, by the hundred."""

import errno
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from files_service import content

from sessionkit.transfer import Download, NotWritten, download

TESTS = str(Path(__file__).parent)


@pytest.fixture
def full_disk(tmp_path):
    """A disk of 400 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "none", folder], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("may not mount a disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_fills_up_costs_only_what_it_has_no_room_for(session, full_disk, sandbox):
    names = [f"f{number}-41000.bin" for number in range(14)]
    items = [Download(f"/{name}", full_disk / name, checksum="etag") for name in [*names, "big-3000000.bin"]]
    result = download(session, items, concurrency=6)
    assert result.failed
    assert len(result.failed) + len(result.paths) == 15
    assert all(isinstance(each.error, NotWritten) for each in result.failed)
    assert {each.error.errno for each in result.failed} == {errno.ENOSPC}
    assert {path.read_bytes() == content(path.name) for path in result.paths} == {True}
    assert sorted(full_disk.iterdir()) == sorted(result.paths)
    for path in result.paths:
        path.unlink()
    again = download(session, [each.item for each in result.failed if "big" not in each.item.url])
    assert again.ok
    assert {path.read_bytes() == content(path.name) for path in again.paths} == {True}


@pytest.mark.parametrize("size", [0, 41_000, 300_000])
@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_on_the_disk_before_it_gets_its_name(session, item, folder, monkeypatch, size, durable):
    steps = []
    fsync, replace = os.fsync, os.replace

    def fsync_seen(file):
        fsync(file)
        steps.append(("on the disk", os.fstat(file).st_size))

    def replace_seen(part, path):
        replace(part, path)
        steps.append(("named", Path(path).stat().st_size))

    monkeypatch.setattr(os, "fsync", fsync_seen)
    monkeypatch.setattr(os, "replace", replace_seen)
    assert download(session, [item(f"a-{size}.bin")], durable=durable).ok
    assert steps == [("on the disk", size)] * durable + [("named", size)]


CHILD = textwrap.dedent(
    """
    import json, resource, sys
    from pathlib import Path
    sys.path[:0] = [{tests!r}]
    from files_service import Files
    from sessionkit.transfer import Download, download

    def run(names, folder, concurrency):
        items = [Download("/" + name, Path(folder) / name, checksum="etag") for name in names]
        download(session, items, concurrency=concurrency).raise_for_failures()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with Files.detached({url!r}, timeout=60, proxies=False) as session:
        print("begun", flush=True)
        {work}
    """
)


@pytest.fixture
def child(sandbox):
    """A process that does some work; killed at the end if it lives."""
    started = []

    def child(work):
        code = CHILD.format(tests=TESTS, url=f"{sandbox.url}/files", work=work)
        started.append(subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE))
        assert started[-1].stdout.readline() == b"begun\n"
        return started[-1]

    yield child
    for process in started:
        process.kill()
        process.communicate(timeout=10)


@pytest.mark.parametrize("after", [1, 120])
def test_small_files_of_a_killed_process_are_whole(session, item, folder, child, complete, after):
    names = [f"f{number}-{20_000 + number}.bin" for number in range(200)]
    process = child(f"run({names!r}, {str(folder)!r}, 16)")
    end = time.monotonic() + 20
    while not folder.exists() or len(list(folder.iterdir())) < after:
        assert time.monotonic() < end
        time.sleep(0.001)
    process.kill()
    process.wait(10)
    there = [path for path in folder.iterdir() if path.suffix == ".bin"]
    assert {path.read_bytes() == content(path.name) for path in there} <= {True}
    result = download(session, [item(name, checksum="etag") for name in names], concurrency=16)
    result.raise_for_failures()
    assert len(result.of("present")) >= len(there)
    complete(*names)


def test_several_hundred_at_once_take_no_more_memory_when_they_are_more(sandbox, tmp_path, child):
    sandbox.fault("latency", seconds=0.2, times=None)
    few, many = ([f"f{number}-60000.bin?{count}" for number in range(count)] for count in (300, 900))
    work = f"print(json.dumps([run(names, {str(tmp_path)!r}, 300) for names in ({few!r}, {many!r})]))"
    out, _ = child(work).communicate(timeout=60)
    before, after = json.loads(out)
    assert after - before < 10_000  # kilobytes; the files are 54 MB together
    assert len(list(tmp_path.iterdir())) == 1200
