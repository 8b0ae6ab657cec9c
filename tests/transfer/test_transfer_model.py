"""Every promise of a download holds, in whichever order processes move and whatever goes wrong.

`transfer_model` explains the steps. When a random schedule breaks a promise, the test fails with the shortest
part of it that does; it belongs into `ONCE_BROKEN` then.
"""

from functools import partial

import pytest
import shrinking
from scripted_files import ScriptedFiles
from transfer_model import NAMES, PEOPLE, world

WEIGHTS = {
    "run": 60,
    "get": 14,
    "plan": 5,
    "break": 4,
    "change": 4,
    "back": 2,
    "tick": 6,
    "kill": 2,
    "plant": 2,
    "tidy": 1,
    "latest": 1,
    "stop": 1,
    "full": 1,
    "space": 1,
}
WELL_MEANT = ["run", "get", "break", "change", "back", "tick", "kill", "latest"]
PLANS = (
    *("cut", "cut", "chunked", "ignorant", "heedless", "elsewhere", "bare", "less", "unsaid"),
    *("unsaid less", "nameless", "416", "304", "gzip", "torn gzip", "gzip rest", "corrupt"),
    *("403", "503", "reset"),
)
PLANTED = ("foreign", "older", "torn", "folder", "part", "noted part")
SIZES = (0, 1, 20, 60, 100, 100, 160, 200)

ONCE_BROKEN = {
    "what was always damaged was fetched for ever": [("get", "ann", "a", "skip", None, "wrong")],
    "a file of another size than was asked for was right, as the service had it too": [
        ("get", "ann", "b", "skip"),
        ("run", "ann", 30),
        ("get", "ann", "b", "check", "wrong"),
    ],
    "a file with another checksum than was asked for was right, as the service had it too": [
        ("plant", "a", "older"),
        ("get", "cat", "latest", "check", "right", "wrong"),
    ],
    "what had no name yet had not been modified": [("plan", "304"), ("get", "ann", "latest", "skip")],
    "what was to be replaced had not been modified": [
        ("plan", "304"),
        ("get", "ann", "a", "replace", "right"),
    ],
    "the rest of another version was appended": [
        ("plan", "cut", 70),
        ("plan", "heedless"),
        ("get", "ann", "a", "replace"),
        ("run", "ann", 3),
        ("change", "a", 100, "own"),
    ],
    "a piece was taken for the whole": [
        ("plan", "cut", 70),
        ("plan", "unsaid less"),
        ("get", "ann", "a", "replace"),
    ],
    "a piece that did not say where it belongs was taken for the whole": [
        ("plan", "cut", 70),
        ("plan", "bare"),
        ("get", "ann", "a", "replace"),
    ],
    "what came from elsewhere was appended": [
        ("plan", "cut", 70),
        ("plan", "elsewhere"),
        ("get", "ann", "a", "replace"),
    ],
    "the note of one version was beside another": [
        ("plan", "cut", 70),
        ("get", "ann", "b", "replace"),
        ("run", "ann", 3),
        ("change", "b", 50, "own"),
    ],
    "a file that was whole was fetched as a part was there too, which then stayed": [
        ("get", "bob", "a", "check", None, "etag"),
        ("run", "bob", 30),
        ("get", "ann", "a", "check", "right", "wrong"),
        ("run", "ann", 9),
        ("kill", "ann"),
    ],
    "a second writer's part stayed": [
        ("get", "bob", "a", "replace", None, "right"),
        ("run", "bob", 8),
        ("get", "ann", "a", "replace", None, "right"),
        ("run", "ann", 12),
        ("kill", "ann"),
    ],
    "a second writer left its part when it failed": [
        ("get", "bob", "a", "replace"),
        ("run", "bob", 7),
        ("plan", "cut", 70),
        ("plan", "403"),
        ("get", "ann", "a", "replace"),
        ("run", "ann", 30),
        ("tick",),
        ("run", "ann", 30),
    ],
    "the note of one who was killed was beside another's bytes": [
        ("change", "a", 50, "own"),
        ("get", "bob", "a", "replace"),
        ("run", "bob", 1),
        ("back", "a"),
        ("get", "ann", "a", "replace"),
        ("run", "ann", 10),
        ("kill", "ann"),
        ("run", "bob", 5),
    ],
    "a part that was whole was fetched once more": [
        ("change", "b", 1, "md5"),
        ("get", "bob", "b", "replace", None, "right"),
        ("back", "b"),
        ("run", "bob", 15),
        ("kill", "bob"),
    ],
    "a newer file got the name of another": [
        ("plan", "chunked", 70),
        ("get", "ann", "latest"),
        ("run", "ann", 3),
        ("latest", "b"),
    ],
    "a part stayed beside a file that was there": [
        ("get", "ann", "a", "replace"),
        ("run", "ann", 8),
        ("kill", "ann"),
        ("plant", "a", "older"),
        ("get", "ann", "a", "skip"),
    ],
    "bytes of what was left out counted": [
        ("plan", "cut", 70),
        ("get", "ann", "a", "replace", None, None, "strong"),
        ("run", "ann", 3),
        ("change", "a", 100, "weak"),
    ],
}
NEVER_BROKEN = {
    "a part with a weak ETag is not carried on": [
        ("change", "a", 100, "weak"),
        ("plan", "cut", 70),
        ("get", "ann", "a", "replace"),
        ("run", "ann", 3),
        ("change", "a", 160, "weak"),
    ],
    "a part is one writer's": [
        ("get", "bob", "a", "replace"),
        ("run", "bob", 7),
        ("change", "a", 160, "own"),
        ("get", "ann", "a", "replace"),
        ("run", "ann", 8),
        ("run", "bob", 30),
    ],
    "a checksum begins anew with its file": [
        ("plan", "cut", 70),
        ("plan", "ignorant"),
        ("get", "ann", "a", "replace", None, "right"),
    ],
    "less than was announced is not the whole": [
        ("plan", "cut", 70),
        ("plan", "less"),
        ("get", "ann", "a", "replace"),
    ],
}
"""Schedules that tell when a promise is broken that random ones meet less often."""
CHOSEN = {**ONCE_BROKEN, **NEVER_BROKEN}


def schedule(rng, length):
    """A random list of steps; often one of few people, files or misfortunes."""
    names = rng.choice([list(WEIGHTS), list(WEIGHTS), WELL_MEANT])
    people, files = PEOPLE[: rng.randint(1, 3)], NAMES[: rng.randint(1, 2)]
    steps = []
    for name in rng.choices(names, [WEIGHTS[name] for name in names], k=length):
        who, file = rng.choice(people), rng.choice(files)
        if name == "run":
            steps.append((name, who, rng.choice([1, 2, 3, 5, 8, 13, 30])))
        elif name == "get":
            existing = rng.choice(["check", "check", "check", "skip", "replace"])
            size = rng.choice([None, None, None, "right", "wrong"])
            checksum = rng.choice([None, None, "etag", "right", "wrong"])
            accept = rng.choice([None, None, "strong"])
            steps.append((name, who, rng.choice([file, file, "latest"]), existing, size, checksum, accept))
        elif name == "plan":
            steps.append((name, rng.choice(PLANS), rng.choice([None, 0, 30, 70, 99])))
        elif name == "break":
            # A body breaks off, the rest comes in another way, and perhaps the file has changed meanwhile.
            steps.append(("plan", "cut", rng.choice([1, 30, 70, 99])))
            steps.append(("plan", rng.choice(PLANS), rng.choice([None, None, 30, 70])))
            checksum = rng.choice([None, "etag", "right"])
            steps.append(("get", who, rng.choice([file, file, "latest"]), "replace", None, checksum, None))
            steps.append(("run", who, rng.randint(1, 13)))
            change = ("change", file, rng.choice(SIZES), "own")
            steps.extend(rng.choice([[change], [("back", file)], [("latest", file)], []]))
            steps.append(("run", who, 20))
        elif name == "change":
            kinds = rng.choice(["md5", "md5", "own", "own", "weak", ""])
            steps.append((name, file, rng.choice(SIZES), kinds))
        elif name == "plant":
            steps.append((name, file, rng.choice(PLANTED)))
        elif name in {"kill", "stop"}:
            steps.append((name, who))
        elif name in {"back", "tidy", "latest"}:
            steps.append((name, file))
        else:
            steps.append((name,))
    return steps


def broken_promise(folder, server, steps):
    """Which promise is broken when the steps are taken, in a few words; "" when none is."""
    with world(folder, server) as made:
        return shrinking.broken_in(made, steps)


def search(folder, server, seeds, length=30):
    """See `shrinking.search`."""
    broken = partial(broken_promise, folder, server)
    return shrinking.search(seeds, lambda rng: ({}, schedule(rng, length)), broken)


@pytest.fixture(scope="module")
def server():
    with ScriptedFiles() as server:
        yield server
        server.shutdown()


@pytest.mark.parametrize("name", CHOSEN)
def test_no_promise_is_broken_by_a_chosen_schedule(name, tmp_path, server):
    broken = broken_promise(tmp_path / "out", server, CHOSEN[name])
    assert not broken, broken


def test_no_promise_is_broken_by_dozens_of_random_schedules(tmp_path, server):
    broken = search(tmp_path / "out", server, range(12))
    assert not broken, broken


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("length", [20, 40, 120])
def test_no_promise_is_broken_by_thousands_of_random_schedules(length, tmp_path, server):
    broken = search(tmp_path / "out", server, range(1_000_000, 1_003_000), length)
    assert not broken, broken
