"""What `test_transfer_model` found, each in as few steps as it takes."""

import threading
from contextlib import ExitStack
from dataclasses import replace

import pytest
from files_service import content, md5

from sessionkit.errors import ConnectionFailed, RequestError
from sessionkit.transfer import Damaged, Download, download
from sessionkit.transfer.part import PartFile

BIG = "big-3000000.bin"


def test_a_large_file_that_is_always_damaged_is_given_up(session, item, sandbox, folder, clock):
    wrong = md5(b"something else")
    result = download(session, [item(BIG, checksum=f"md5:{wrong}")], attempts=2, clock=clock)
    assert isinstance(result.failed[0].error, Damaged)
    assert len(sandbox.requests()) == 2
    assert list(folder.iterdir()) == []


def test_a_large_file_that_always_breaks_off_and_cannot_be_carried_on_is_given_up(
    session, item, sandbox, service, clock
):
    service.ranges = False
    sandbox.fault("truncate", times=None, bytes=1_500_000)
    result = download(session, [item(BIG)], attempts=2, clock=clock)
    assert isinstance(result.failed[0].error, ConnectionFailed)
    assert len(sandbox.requests()) <= 3


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("wanted", [{"size": 999}, {"checksum": f"md5:{md5(b'something else')}"}], ids=str)
def test_a_file_that_is_there_is_not_right_because_the_service_has_the_same_wrong_one(
    session, item, folder, clock, named, wanted
):
    download(session, [item("a-1000.bin")])
    wrong = item("a-1000.bin", **wanted)
    if named:
        wrong = replace(wrong, path=folder, name=lambda answer: "a-1000.bin")
    result = download(session, [wrong], attempts=1, clock=clock)
    assert isinstance(result.failed[0].error, Damaged)


@pytest.mark.parametrize("named", [False, True])
def test_not_modified_says_nothing_when_it_was_not_asked_for(session, item, sandbox, folder, named):
    sandbox.fault("status", status=304)
    wanted = item("a-1000.bin")
    if named:
        folder.mkdir()
        wanted = replace(wanted, path=folder, name=lambda answer: "a-1000.bin")
    result = download(session, [wanted])
    assert isinstance(result.failed[0].error, RequestError)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": ""},
        {"Content-Range": "bytes 1500000-2999999/*"},
        {"Content-Encoding": "gzip"},
        {"ETag": '"another"'},
        {"ETag": ""},
    ],
    ids=str,
)
def test_the_rest_of_something_else_or_from_somewhere_else_is_not_appended(
    session, item, sandbox, service, complete, clock, headers
):
    service.rest_headers[BIG] = headers
    sandbox.fault("truncate")
    result = download(session, [item(BIG)], clock=clock)
    assert [each.status for each in sandbox.requests()] == [200, 206, 200]
    assert result.ok
    complete(BIG)


@pytest.mark.parametrize("older", [b"", b"older"])
def test_what_is_written_is_never_beside_another_ones_note(tmp_path, older):
    """Whoever is killed leaves the two as they are, and the next would carry on after the wrong bytes."""
    path, beside, note = (tmp_path / f"a{end}" for end in ("", ".part", ".part.etag"))
    beside.write_bytes(older)
    note.write_text('"older"')
    with PartFile(path) as part:
        part.begin('"newer"', None, 100_000)
        part.write(bytes(100_000))
        assert beside.stat().st_size == 100_000
        assert not note.exists()
        part.complete()
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_whole_is_not_fetched_because_there_is_a_part_of_it_too(
    session, item, sandbox, folder, complete
):
    folder.mkdir()
    (folder / "a-1000.bin").write_bytes(content("a-1000.bin"))
    (folder / "a-1000.bin.part").write_bytes(content("a-1000.bin")[:500])
    (folder / "a-1000.bin.part.etag").write_text(f'"{md5(content("a-1000.bin"))}"')
    result = download(session, [item("a-1000.bin")])
    assert [each.state for each in result] == ["present"]
    assert [each.status for each in sandbox.requests()] == [304]
    complete("a-1000.bin")


def test_a_part_that_another_left_meanwhile_is_taken_without_its_note(tmp_path):
    path, beside, note = (tmp_path / f"a{end}" for end in ("", ".part", ".part.etag"))
    with PartFile(path) as part:
        part.begin('"newer"', None, 100_000)
        beside.write_bytes(b"older")
        note.write_text('"older"')
        part.write(bytes(100_000))
        assert not note.exists()
        part.complete()
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_of_a_second_writer_that_broke_off(tmp_path):
    path = tmp_path / "a"
    with PartFile(path) as first:
        first.begin('"1"', None, None)
        first.write(bytes(100_000))
        with PartFile(path) as second:
            second.begin('"1"', None, 5_000_000)
            second.write(bytes(100_000))
            assert sorted(each.name for each in tmp_path.iterdir()) == ["a.2.part", "a.part"]
        assert [each.name for each in tmp_path.iterdir()] == ["a.part"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.part", "a.part.etag"]


def test_any_number_may_write_the_same_file_at_once(tmp_path):
    path = tmp_path / "a"
    with ExitStack() as all_of_them:
        parts = [all_of_them.enter_context(PartFile(path)) for _ in range(8)]
        for number, part in enumerate(parts):
            part.begin("", None, None)
            part.write(bytes([number]) * 100_000)
        assert len(list(tmp_path.iterdir())) == 8
        for number, part in enumerate(parts):
            part.complete()
            assert path.read_bytes() == bytes([number]) * 100_000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("existing", ["check", "skip", "replace"])
def test_what_was_left_beside_a_file_goes_when_the_file_is_there(session, item, folder, complete, existing):
    name = "a-1000.bin"
    folder.mkdir()
    for left in (name, f"{name}.part", f"{name}.2.part", f"{name}.4.part"):
        (folder / left).write_bytes(content(name))
    (folder / f"{name}.part.etag").write_text('"1"')
    assert download(session, [item(name, size=1000)], existing=existing).ok
    complete(name)


def test_what_another_still_writes_is_left_to_it(session, item, folder):
    name = "a-1000.bin"
    with PartFile(folder / name) as part:
        part.begin("", None, None)
        part.write(bytes(100_000))
        assert download(session, [item(name)]).ok
        assert sorted(each.name for each in folder.iterdir()) == [name, f"{name}.part"]
        part.complete()
    assert (folder / name).read_bytes() == bytes(100_000)


@pytest.mark.parametrize("body", [content("a-1000.bin"), content("a-1000.bin") + b"more"])
def test_of_a_part_that_is_whole_only_one_byte_is_fetched(session, item, sandbox, folder, complete, body):
    name = "a-1000.bin"
    folder.mkdir()
    (folder / f"{name}.part").write_bytes(body)
    (folder / f"{name}.part.etag").write_text(f'"{md5(content(name))}"')
    result = download(session, [item(name, checksum="etag")])
    assert result.all[0].received == (1 if len(body) == 1000 else 1000)
    complete(name)


@pytest.mark.parametrize("broken", [1000, 100_000])
def test_a_newer_file_does_not_get_the_name_of_the_one_that_broke_off(
    sandbox, session, service, folder, complete, clock, broken
):
    service.newest = ["a-200000.bin", "b-200000.bin"]
    sandbox.fault("truncate", path="/files/a-200000.bin", bytes=broken)
    newest = Download(f"{sandbox.url}/latest", folder, name=lambda answer: answer.url)
    assert download(session, [newest], clock=clock).paths == [folder / "b-200000.bin"]
    complete("b-200000.bin")


def test_what_came_of_a_file_that_is_left_out_after_all_does_not_count(session, item, sandbox, clock):
    sandbox.fault("truncate")
    seen = []
    accept = iter([True, False])
    result = download(session, [item(BIG)], accept=lambda _: next(accept), clock=clock, progress=seen.append)
    assert result.all[0].state == "filtered"
    assert (seen[-1].bytes, seen[-1].total, seen[-1].filtered) == (0, 0, 1)


def test_ctrl_c_while_a_batch_begins_ends_it(session, item, sandbox, monkeypatch):
    class Interrupted(threading.Thread):
        def start(self):
            super().start()
            if self.name == "sessionkit-many":
                raise KeyboardInterrupt

    monkeypatch.setattr(threading, "Thread", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        download(session, [item(f"f{number}-1000.bin") for number in range(200)], concurrency=1)
    assert not [each for each in threading.enumerate() if each.name.startswith("sessionkit-many")]
    assert len(sandbox.requests()) < 20
