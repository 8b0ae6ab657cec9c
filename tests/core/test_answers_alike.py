"""Every answer means the same on a new connection, on a kept one, and among many calls at once.

A new connection is urllib3's business, a kept one `Flight`'s, and many calls are gathered by one thread:
three ways through the code, and one outcome.
"""

import gzip
import json
import zlib
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from core_kit import Api
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire_kit import CLOSE, Wire, ok, settle

from sessionkit import RetryPolicy, SessionKitError, TokenAuth, TokenSource
from sessionkit.http import Call
from sessionkit.http.stream import Stream
from sessionkit.tokens import Token

H = b"HTTP/1.1 200 OK\r\n"
CHUNKED = H + b"Transfer-Encoding: chunked\r\n"
ZIPPED = gzip.compress(b'{"zipped": true}')


@dataclass
class Case:
    """What is sent, and what the session is like.

    Attributes:
        answers: Raw answers, one after the other.
        closes: Whether the server closes the connection after each.
        means: What must be in the outcome, to see that it is right and not only the same.
    """

    means: str
    answers: list
    closes: bool = False
    method: str = "GET"
    options: dict = field(default_factory=dict)
    timeout: float = 5.0
    args: object = None
    stream: bool = False


def one(means, answer, **more):
    return Case(means, [answer], **more)


def token_auth():
    numbers = iter(range(100))
    return {"auth": TokenAuth(TokenSource(lambda _: Token(f"token-{next(numbers)}"), key="k"))}


AGAIN = {"retry": RetryPolicy(base=0.001, jitter=False)}
SMALL = {"max_response_size": 50}
CASES = {
    "a length": one("{'a': 1}", ok(b'{"a": 1}')),
    "no body": one("None", ok(b"")),
    "a length in odd case": one("{'a': 1}", H + b'cOnTent-LENGTH:\t 8 \r\n\r\n{"a": 1}'),
    "an odd length": one("{'a': 1}", H + b'Content-Length: +8\r\n\r\n{"a": 1}'),
    "chunks": one("{'a': 1}", CHUNKED + b'\r\n3\r\n{"a\r\n5\r\n": 1}\r\n0\r\n\r\n'),
    "chunks in capitals": one("'0123456789'", CHUNKED + b'\r\n00C\r\n"0123456789"\r\n0\r\n\r\n'),
    "chunks with extensions": one("{'a': 1}", CHUNKED + b'\r\n8;x="y;z"\r\n{"a": 1}\r\n0;last\r\n\r\n'),
    "chunks with trailers": one("{'a': 1}", CHUNKED + b'\r\n8\r\n{"a": 1}\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n'),
    "what looks like the last chunk": one("[0]", CHUNKED + b"\r\n1\r\n[\r\n6\r\n0\r\n\r\n]\r\n0\r\n\r\n"),
    "chunks of no size": one("", CHUNKED + b"\r\nxyz\r\n{}\r\n0\r\n\r\n", closes=True),
    "a negative chunk": one("", CHUNKED + b"\r\n-3\r\n{}\r\n0\r\n\r\n", closes=True),
    "a chunk longer than it says": one("", CHUNKED + b"\r\n1\r\n{}abc\r\n0\r\n\r\n", closes=True),
    "chunks cut short": one("ended in the middle", CHUNKED + b"\r\n8\r\n{", closes=True),
    "chunks without the last": one("ended in the middle", CHUNKED + b"\r\n2\r\n{}\r\n", closes=True),
    "chunks beside a length": one(
        "{'a': 1}", CHUNKED + b'Content-Length: 3\r\n\r\n8\r\n{"a": 1}\r\n0\r\n\r\n'
    ),
    "another coding": one(
        "", H + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", closes=True
    ),
    "gzip": one("{'zipped': True}", ok(ZIPPED, b"Content-Encoding: gzip")),
    "gzip in chunks": one(
        "{'zipped': True}",
        CHUNKED + b"Content-Encoding: gzip\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(ZIPPED), ZIPPED),
    ),
    "gzip damaged": one("could not be decompressed", ok(b"\x1f\x8b" + b"z" * 30, b"Content-Encoding: gzip")),
    "gzip cut short": one("", ok(ZIPPED[:-9], b"Content-Encoding: gzip")),
    "deflate": one("[1]", ok(zlib.compress(b"[1]"), b"Content-Encoding: deflate")),
    "an unknown encoding": one("[1]", ok(b"[1]", b"Content-Encoding: own")),
    "gzip beyond the limit": one(
        "larger than 50", ok(gzip.compress(b"1" * 9999), b"Content-Encoding: gzip"), options=SMALL
    ),
    "until it closes": one("{'a': 1}", H + b'Connection: close\r\n\r\n{"a": 1}', closes=True),
    "until it closes, unsaid": one("{'a': 1}", H + b'\r\n{"a": 1}', closes=True),
    "HTTP/1.0": one("{'a': 1}", b'HTTP/1.0 200 OK\r\n\r\n{"a": 1}', closes=True),
    "HTTP/1.0 kept": one("[]", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n[]"),
    "never closes": one("no answer within", H + b'\r\n{"a": 1}', timeout=0.25),
    "closes after a length": one("[]", ok(b"[]", b"Connection: close"), closes=True),
    "204": one("None", b"HTTP/1.1 204 No Content\r\n\r\n"),
    "204 with a length": one("None", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"),
    "304": one("304", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 99\r\n\r\n"),
    "HEAD": one("None", H + b"Content-Length: 4000\r\n\r\n", method="HEAD"),
    "HEAD beyond the limit": one("None", H + b"Content-Length: 4000\r\n\r\n", method="HEAD", options=SMALL),
    "HEAD in chunks": one("None", CHUNKED + b"\r\n", method="HEAD"),
    "interim answers": one(
        "{'a': 1}",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + ok(b'{"a": 1}'),
    ),
    "interim answer with a length": one(
        "[1]", b"HTTP/1.1 102 Wait\r\nContent-Length: 7\r\n\r\n" + ok(b"[1]")
    ),
    "interim and chunks": one("[1]", b"HTTP/1.1 102 \r\n\r\n" + CHUNKED + b"\r\n3\r\n[1]\r\n0\r\n\r\n"),
    "101": one("101", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
    "folded header": one("'a b'", ok(b"[]", b"X-Seen: a\r\n  b")),
    "folded length": one("[]", H + b"Content-Length:\r\n 2\r\n\r\n[]"),
    "a head cut off after a line": one("ended in the middle", H + b"X-Seen: 1\r\n", closes=True),
    "a head cut off after a length": one("ended in the middle", H + b"Content-Length: 0\r\n", closes=True),
    "an interim head cut off": one("ended in the middle", b"HTTP/1.1 103 Wait\r\nLink: <x>", closes=True),
    "header without colon": one("[]", ok(b"[]", b"X-Odd"), closes=True),
    "header with a blank name": one("[]", ok(b"[]", b"X Odd: 1"), closes=True),
    "header without value": one("[]", ok(b"[]", b"X-Seen:")),
    "header in latin-1": one("\\u00fc", ok(b"[]", b"X-Seen: \xfc")),
    "header twice": one("'2')", ok(b"[]", b"X-Seen: 1", b"X-Seen: 2")),
    "bare line feeds": one("[]", b"HTTP/1.1 200 OK\nContent-Length: 2\n\n[]"),
    "half bare line feeds": one("[]", b"HTTP/1.1 200 OK\r\nX-Seen: 1\nContent-Length: 2\r\n\r\n[]"),
    "a NUL in a header": one("", ok(b"[]", b"X-Odd: a\0b")),
    "no reason": one("[]", b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n[]"),
    "an odd version": one("", b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n[]", closes=True),
    "HTTP/1.2": one("[]", b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\n[]"),
    "an odd status": one("is no HTTP", b"HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\n[]"),
    "a status of four digits": one("is no HTTP", b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n[]"),
    "an unknown status": one("599", ok(b"[]", status=b"599 Odd"), options={"retry": RetryPolicy.never()}),
    "a length twice": one("[]", H + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n[]"),
    "a length twice in one": one("[]", H + b"Content-Length: 2, 2\r\n\r\n[]", closes=True),
    "lengths that contradict": one(
        "ConnectionFailed", H + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]1"
    ),
    "a negative length": one("[]", H + b"Content-Length: -2\r\n\r\n[]", closes=True),
    "an absurd length": one("", H + b"Content-Length: 99999999999999999999\r\n\r\n[]", closes=True),
    "a length of words": one("[]", H + b"Content-Length: many\r\n\r\n[]", closes=True),
    "excess": one("[]", ok(b"[]") + b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{" + b'"x": 66}'),
    "excess after chunks": one("[]", CHUNKED + b"\r\n2\r\n[]\r\n0\r\n\r\n" + ok(b"[666]")),
    "excess after no body": one("None", b"HTTP/1.1 204 No Content\r\n\r\n" + ok(b"[666]")),
    "body cut short": one("ended in the middle", H + b"Content-Length: 50\r\n\r\n{", closes=True),
    "head cut short": one("ended in the middle", H + b"Content-Le", closes=True),
    "first line cut short": one("", b"HTTP/1.1 20", closes=True),
    "nothing": one("ended in the middle", b"", closes=True),
    "nothing and silence": one("no answer within", b"", timeout=0.25),
    "head and silence": one("no answer within", H + b"Content-Length: 5\r\n\r\n[", timeout=0.25),
    "part of a head and silence": one("no answer within", H + b"Content-Le", timeout=0.25),
    "no HTTP": one("is no HTTP", b"SSH-2.0-OpenSSH_9.6\r\n"),
    "no HTTP, no line": one("no answer within", b"hello", timeout=0.25),
    "an empty line first": one("is no HTTP", b"\r\n" + ok(b"[]")),
    "HTML": one(
        "HTTP 502",
        ok(b"<title>502 Bad Gateway</title>", b"Content-Type: text/html", status=b"502 Bad Gateway"),
        options={"retry": RetryPolicy.never()},
    ),
    "HTML of a login page": one("no JSON", ok(b"<html><title>Log in</title>", b"Content-Type: text/html")),
    "broken JSON": one("no JSON", ok(b'{"a": ')),
    "a huge head": one("[]", ok(b"[]", *[b"X-%d: %s" % (n, b"x" * 4000) for n in range(40)])),
    "too many headers": one("is no HTTP", H + b"".join(b"X-%d: 1\r\n" % n for n in range(150)) + b"\r\n"),
    "headers without end": one("is no HTTP", H + b"".join(b"X-%d: 1\r\n" % n for n in range(150))),
    "a header too long": one("is no HTTP", H + b"X-A: " + b"x" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n"),
    "a header line without end": one("is no HTTP", H + b"X-A: " + b"x" * 70_000),
    "larger than may be": one("larger than 50 bytes", ok(b"1" * 500), options=SMALL),
    "as large as may be": one("111", ok(b"1" * 50), options=SMALL),
    "larger, unannounced": one("larger than 50 bytes", H + b"\r\n" + b"1" * 500, options=SMALL, closes=True),
    "larger, in chunks": one(
        "larger than 50 bytes", CHUNKED + b"\r\n1f4\r\n" + b"1" * 500 + b"\r\n0\r\n\r\n", options=SMALL
    ),
    "larger, and an error": one("", ok(b"1" * 500, status=b"404 Not Found"), options=SMALL),
    "redirect": Case("[1]", [ok(b"", b"Location: /there", status=b"302 Found"), ok(b"[1]")]),
    "redirect and close": Case(
        "[1]",
        [
            ok(b"", b"Location: /there", b"Connection: close", status=b"302 Found"),
            ok(b"[1]", b"Connection: close"),
        ],
        closes=True,
    ),
    "redirects in a circle": one("more than 10 redirects", ok(b"", b"Location: /x", status=b"302 Found")),
    "redirect to nowhere": one("no JSON|302", ok(b"<a>", status=b"302 Found")),
    "redirect to no URL": one("redirect to", ok(b"", b"Location: http://[", status=b"302 Found")),
    "303 of a POST": Case(
        "[1]",
        [ok(b"", b"Location: /there", status=b"303 See Other"), ok(b"[1]")],
        method="POST",
        args={"a": 1},
    ),
    "307 of a POST": Case(
        "[1]", [ok(b"", b"Location: /there", status=b"307 Go"), ok(b"[1]")], method="POST", args={"a": 1}
    ),
    "401, then well": Case("[1]", [ok(b"{}", status=b"401 No"), ok(b"[1]")], options=token_auth),
    "401 for good": one("AuthenticationError", ok(b"{}", status=b"401 No"), options=token_auth),
    "429, then well": Case(
        "[1]", [ok(b"", b"Retry-After: 0.01", status=b"429 Slow"), ok(b"[1]")], options=AGAIN
    ),
    "503 for good": one(
        "ServerError|RateLimited", ok(b"", b"Retry-After: 0", status=b"503 No"), options=AGAIN
    ),
    "429 for long": one("RateLimited", ok(b"", b"Retry-After: 999", status=b"429 Slow"), options=AGAIN),
    "closed, then well": Case("[1]", [b"", ok(b"[1]", b"Connection: close")], options=AGAIN, closes=True),
    "404": one("NotFound", ok(b'{"message": "gone"}', status=b"404 Not Found")),
    "a stream": one("'{}'", ok(b"{}"), stream=True),
    "a stream beyond the limit": one("1111", ok(b"1" * 500), stream=True, options=SMALL),
    "a stream in chunks": one("'{}'", CHUNKED + b"\r\n2\r\n{}\r\n0\r\n\r\n", stream=True),
    "a packed stream": one(
        "1111", ok(gzip.compress(b"1" * 9000), b"Content-Encoding: gzip"), stream=True, options=SMALL
    ),
    "a stream until it closes": one("'{}'", H + b"\r\n{}", stream=True, closes=True),
    "an error of a stream": one("NotFound", ok(b"{}", status=b"404 Not Found"), stream=True),
    "a stream cut short": one(
        "ended in the middle", H + b"Content-Length: 9\r\n\r\n[]", stream=True, closes=True
    ),
}


def pieces_of(answer):
    """Ways of cutting an answer up."""
    yield [answer]
    yield [answer[at : at + 1] for at in range(len(answer))] if len(answer) < 120 else [answer]
    for mark, where in ((b"\r\n\r\n", 2), (b"\r\n\r\n", 5), (b"chunked\r\n", 10)):
        at = answer.find(mark)
        if at >= 0 and at + where < len(answer):
            yield [answer[: at + where], answer[at + where :]]


def outcome_of(get):
    """What a caller is told, as text."""
    try:
        exchange = get()
        if isinstance(exchange, SessionKitError):
            raise exchange
        response = exchange.response
        result = exchange.result
        if result is response:
            stream = Stream(response)
            try:
                result = b"".join(stream).decode()
            finally:
                stream.close()
    except SessionKitError as error:
        attempts = [(each.number, each.status, each.cause) for each in getattr(error, "attempts", ())]
        return [type(error).__name__, str(error), getattr(error, "sent", None), attempts]
    attempts = [(each.number, each.status, each.cause) for each in exchange.attempts]
    assert list(response.attempts) == exchange.attempts
    fields = sorted((name.lower(), value) for name, value in response.headers.items())
    return [repr(result), response.status, response.reason, repr(fields), response.url, attempts]


def session_for(wire, case):
    options = case.options() if callable(case.options) else case.options
    return Api.detached(wire.url, **{"retry": RetryPolicy.never(), "timeout": 10, **options})


def play(wire, case, cut, way):
    """One call; what came of it, and on how many connections everything was asked."""
    end = [CLOSE] if case.closes else []
    scripted = []
    for answer in case.answers:
        cuts = list(pieces_of(answer))
        pieces = cuts[min(cut, len(cuts) - 1)]
        scripted.append(
            [part for piece in pieces for part in (piece, 0.0002 if len(pieces) > 3 else 0.002)][:-1] + end
        )
    wire.script(*scripted)
    call = Call(case.method, "/x", case.args, stream=case.stream)
    with session_for(wire, case) as session:
        if way != "cold":
            session.get("/good")
        before = len(wire.seen)
        if way == "many":
            outcome = outcome_of(lambda: next(session.perform_all([call], timeout=case.timeout)))
        else:
            outcome = outcome_of(lambda: session.perform(call, timeout=case.timeout))
        settle(lambda: len(wire.seen) > before)  # a peer that is slow may hear of it after the time was up
        if way != "cold":
            assert wire.seen[before].connection == wire.seen[before - 1].connection, (
                "it was not asked on the kept one"
            )
        assert session.get("/good", timeout=5) == {"good": True}
        asked = [
            (seen.method, seen.path, seen.body, sorted(seen.headers.items())) for seen in wire.seen[before:]
        ]
        follows_on = wire.seen[-1].connection == wire.seen[-2].connection
    return outcome, asked, follows_on


@pytest.fixture(scope="module")
def wire():
    wire = Wire()
    yield wire
    wire.stop()


@pytest.mark.parametrize("name", CASES)
def test_an_answer_means_the_same_on_every_way(wire, name):
    case = CASES[name]
    # What comes unasked after the answer was taken, in a piece of its own, nobody can tell from the next one.
    once = case.timeout < 1 or name.startswith("excess")
    cuts = 1 if once else max(len(list(pieces_of(answer))) for answer in case.answers)
    first = play(wire, case, 0, "cold")
    for way, cut in [("warm", cut) for cut in range(min(cuts, 2))] + [("many", cut) for cut in range(cuts)]:
        found = play(wire, case, cut, way)
        assert (way, cut, *found[:2]) == (way, cut, *first[:2])
        if name.startswith("excess"):
            assert not found[2], "what came unasked would have been the next answer"
    text = json.dumps(first[0])
    assert any(part in text for part in case.means.split("|")), text


# --- any valid answer, in any pieces ---

BODIES = st.binary(max_size=200)


@st.composite
def answers(draw):
    """A valid answer, and its body."""
    body = draw(BODIES)
    interim = draw(
        st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 X\r\nLink: <y>\r\n\r\n"])
    )
    fields = draw(st.lists(st.sampled_from([b"X-A: 1", b"x-b:2", b"X-C:  c d ", b"Date: x"]), max_size=3))
    sent = gzip.compress(body, mtime=0) if draw(st.booleans()) else body
    if sent is not body:
        fields.append(b"Content-Encoding: gzip")
    if draw(st.booleans()):
        head = [H[:-2], *fields, b"Content-Length: %d" % len(sent)]
        return interim + b"\r\n".join(head) + b"\r\n\r\n" + sent, body
    head = [H[:-2], *fields, b"Transfer-Encoding: chunked"]
    sizes = draw(st.lists(st.integers(1, 40), max_size=8))
    chunks, at = b"", 0
    for size in [*sizes, len(sent)]:
        part = sent[at : at + size]
        at += len(part)
        if part:
            chunks += b"%x%s\r\n%s\r\n" % (len(part), draw(st.sampled_from([b"", b";a=b"])), part)
    trailer = draw(st.sampled_from([b"", b"X-T: 1\r\n", b"X-T: 1\r\nX-U: 2\r\n"]))
    return interim + b"\r\n".join(head) + b"\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n", body


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=answers(), cuts=st.lists(st.integers(0, 600), max_size=5))
def test_a_valid_answer_is_the_same_however_it_is_cut(wire, answer, cuts):
    sent, body = answer
    edges = sorted({0, len(sent), *(cut % len(sent) for cut in cuts)})
    pieces = [sent[begin:end] for begin, end in pairwise(edges)]
    wire.script([part for piece in pieces for part in (piece, 0.0005)])
    call = Call("GET", "/x", raw=True)
    with Api.detached(wire.url, timeout=5, retry=RetryPolicy.never()) as session:
        session.get("/good")
        before = len(wire.seen)
        for exchange in [session.perform(call), *session.perform_all([call, call], at_once=1)]:
            assert exchange.result.body == body
        assert len({seen.connection for seen in wire.seen[before - 1 :]}) == 1
