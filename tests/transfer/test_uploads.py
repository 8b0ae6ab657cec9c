import os
from contextlib import nullcontext

import pytest
from files_service import content, md5

from sessionkit.errors import ConfigurationError, PermissionDenied
from sessionkit.testing import ManualClock
from sessionkit.transfer import Damaged, NotRead, Part, upload, upload_parts

NAME = "film-2500000.bin"


@pytest.fixture
def film(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(content(NAME))
    return path


def test_a_file_is_sent_as_it_is_read(session, film, service, sandbox):
    seen = []
    sent = upload(session, film, f"/{NAME}", headers={"X-Mine": "1"}, progress=seen.append)
    assert service.stored[NAME] == content(NAME)
    assert (sent.number, sent.size, sent.md5) == (1, 2_500_000, md5(content(NAME)))
    assert sent.etag == f'"{sent.md5}"'
    (request,) = sandbox.requests()
    assert request.headers["content-length"] == "2500000"
    assert request.headers["content-type"] == "application/octet-stream"
    assert request.headers["x-mine"] == "1"
    assert "transfer-encoding" not in request.headers
    assert (seen[-1].bytes, seen[-1].total, seen[-1].finished) == (2_500_000, 2_500_000, True)


def test_an_empty_file_is_sent(session, tmp_path, service):
    path = tmp_path / "empty"
    path.touch()
    assert upload(session, path, "/empty").size == 0
    assert service.stored["empty"] == b""


@pytest.mark.parametrize("kind", ["reset", "lost_reply", "status"])
def test_an_upload_that_fails_is_repeated_from_its_beginning(session, film, service, sandbox, kind):
    sandbox.fault(kind, **({"status": 503} if kind == "status" else {}))
    seen = []
    assert upload(session, film, f"/{NAME}", progress=seen.append).md5 == md5(content(NAME))
    assert service.stored[NAME] == content(NAME)
    assert seen[-1].bytes == 2_500_000
    assert len(sandbox.requests()) == 2


def test_an_upload_that_is_refused_is_reported(session, film, sandbox):
    sandbox.fault("status", status=403, body="<Error>Request has expired</Error>")
    with pytest.raises(PermissionDenied):
        upload(session, film, f"/{NAME}")


def test_a_service_that_took_something_else_is_found_out(session, film, service):
    service.headers[NAME] = {"ETag": f'"{md5(b"else")}"'}
    with pytest.raises(Damaged, match="arrived damaged"):
        upload(session, film, f"/{NAME}")
    assert upload(session, film, f"/{NAME}", verify=False).etag == f'"{md5(b"else")}"'


def test_a_missing_file_is_reported_before_anything_is_sent(session, tmp_path, sandbox):
    with pytest.raises(FileNotFoundError):
        upload(session, tmp_path / "none", "/none")
    assert sandbox.requests() == []


def test_parts_are_sent_several_at_once_and_collected_in_order(session, film, service):
    seen = []
    parts = [Part(number, f"/part-{number}") for number in range(1, 10)]
    sent = upload_parts(session, film, parts, part_size=300_000, concurrency=3, progress=seen.append)
    assert [part.number for part in sent] == list(range(1, 10))
    assert [part.size for part in sent] == [300_000] * 8 + [100_000]
    stored = [service.stored[f"part-{number}"] for number in range(1, 10)]
    assert b"".join(stored) == content(NAME)
    assert [part.etag for part in sent] == [f'"{md5(body)}"' for body in stored]
    assert service.most_under_way <= 3
    assert seen[-1].bytes == 2_500_000


def test_a_part_that_fails_is_repeated_alone(session, film, service, sandbox):
    sandbox.fault("reset", path="/files/part-2")
    parts = [Part(number, f"/part-{number}") for number in range(1, 4)]
    upload_parts(session, film, parts, part_size=1_000_000)
    assert b"".join(service.stored[f"part-{number}"] for number in range(1, 4)) == content(NAME)
    assert len(sandbox.requests()) == 4


def test_a_part_that_is_refused_ends_the_upload(session, film, sandbox):
    sandbox.fault("status", status=403, path="/files/part-1")
    parts = [Part(number, f"/part-{number}") for number in range(1, 10)]
    with pytest.raises(PermissionDenied):
        upload_parts(session, film, parts, part_size=300_000, concurrency=1)
    assert len(sandbox.requests()) == 1


@pytest.mark.parametrize(("count", "size"), [(2, 1_000_000), (4, 1_000_000), (3, 0)])
def test_parts_that_do_not_cover_the_file_are_refused(session, film, count, size):
    with pytest.raises(ConfigurationError):
        upload_parts(session, film, [Part(n, f"/{n}") for n in range(count)], part_size=size)


@pytest.fixture
def meanwhile():
    """Does something while a file is being sent."""

    class Meanwhile(ManualClock):
        def monotonic(self):  # asked for the progress of each piece
            self.asked = getattr(self, "asked", 0) + 1
            if self.asked == 4:
                self.then()
            return super().monotonic()

    def meanwhile(then):
        clock = Meanwhile()
        clock.then = then
        return {"clock": clock, "progress": lambda _: None}

    return meanwhile


@pytest.mark.parametrize("size", [2_500_000, 1_000_000, 3_000_000])
def test_a_file_that_is_changed_while_it_is_sent_is_not_taken_for_sent(
    session, film, service, sandbox, meanwhile, size
):
    os.utime(film, (0, 0))
    with pytest.raises(NotRead, match="was changed while it was sent"):
        upload(session, film, f"/{NAME}", **meanwhile(lambda: film.write_bytes(bytes(size))))
    assert service.stored == {}
    assert len(sandbox.requests()) <= 1


def test_parts_are_all_of_one_version_of_the_file(session, film, service, meanwhile):
    newer = film.with_name("newer")
    newer.write_bytes(bytes(2_500_000))
    parts = [Part(number, f"/part-{number}") for number in range(1, 10)]
    with pytest.raises(NotRead):
        upload_parts(
            session, film, parts, part_size=300_000, concurrency=1, **meanwhile(lambda: newer.replace(film))
        )
    assert all(body in content(NAME) for body in service.stored.values())


def test_a_file_that_is_gone_when_it_has_to_be_sent_again_is_named(session, film, sandbox, meanwhile):
    sandbox.fault("status", status=503)
    with pytest.raises(NotRead, match=rf"{NAME} could not be read \(No such file"):
        upload(session, film, f"/{NAME}", **meanwhile(film.unlink))


@pytest.mark.parametrize(("status", "counted"), [(200, (1, 0, 1)), (403, (0, 1, 1))])
def test_a_file_that_is_sent_or_not_is_counted(session, film, sandbox, status, counted):
    if status != 200:
        sandbox.fault("status", status=status)
    seen = []
    with pytest.raises(PermissionDenied) if status != 200 else nullcontext():
        upload(session, film, f"/{NAME}", progress=seen.append)
    assert (seen[-1].fetched, seen[-1].failed, seen[-1].done) == counted
