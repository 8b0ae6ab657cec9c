"""Every promise of a download holds, in whichever order processes move and whatever goes wrong.

`transfer_model` explains the steps. When a random schedule breaks a promise, the test fails with the shortest
part of it that does.
"""

import random
import re

import pytest
from scripted_files import ScriptedFiles
from shrinking import shortest, told
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
        try:
            for step in steps:
                made.step(*step)
            made.finish()
        except AssertionError as error:
            return str(error) or repr(error)
    return ""


def sort_of(broken):
    """A broken promise without names and numbers."""
    return re.sub(r"\S*\d\S*|ann|bob|cat|\b[ab]\b", "", broken)


def breaks_alike(folder, server, wrong):
    """Whether steps break a promise of the same sort."""
    return lambda steps: sort_of(broken_promise(folder, server, steps)) == sort_of(wrong)


def search(folder, server, seeds, length=30):
    """What is wrong with the first random schedule with which something is; "" when there is none."""
    for seed in seeds:
        steps = schedule(random.Random(seed), length)
        if wrong := broken_promise(folder, server, steps):
            steps = shortest(steps, breaks_alike(folder, server, wrong))
            return told(seed, "", steps, broken_promise(folder, server, steps))
    return ""


@pytest.fixture(scope="module")
def server():
    with ScriptedFiles() as server:
        yield server
        server.shutdown()


def test_no_promise_is_broken_by_dozens_of_random_schedules(tmp_path, server):
    broken = search(tmp_path / "out", server, range(40))
    assert not broken, broken


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("length", [20, 40, 120])
def test_no_promise_is_broken_by_thousands_of_random_schedules(length, tmp_path, server):
    broken = search(tmp_path / "out", server, range(1_000_000, 1_003_000), length)
    assert not broken, broken
