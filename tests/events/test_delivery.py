"""Every accepted event arrives exactly once and in order, whatever happens to the server meanwhile."""

import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

PROGRAMS = str(Path(__file__).with_name("event_programs.py"))
NAMES = ("ann", "bob")


class Program:
    """A process that speaks JSON lines."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, PROGRAMS, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self):
        line = self.process.stdout.readline()
        assert line, "the program ended"
        return json.loads(line)

    def say(self, **what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def leave(self):
        self.process.stdin.close()
        self.process.wait(60)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def start():
    started = []

    def start(*arguments):
        started.append(Program(*arguments))
        return started[-1]

    yield start
    for program in started:
        program.end()


def broken(publisher, receiver):
    """Which promise was broken, in a few words; "" when none was."""
    refused = set(publisher["refused"])
    got = [number for number in receiver["received"] if number not in refused]
    lost = sorted(set(publisher["accepted"]) - refused - set(got))
    twice = sorted(number for number, times in Counter(got).items() if times > 1)
    inversions = [(one, next_) for one, next_ in pairwise(got) if one > next_]
    findings = {"lost": lost, "twice": twice, "out of order": inversions}
    told = [f"{len(found)} {what}, the first: {found[:3]}" for what, found in findings.items() if found]
    if publisher["waiting"]:
        told.append(f"{publisher['waiting']} never confirmed")
    return "; ".join(told)


def together(programs, **what):
    """Tell all of them, and hear all of them."""
    for program in programs:
        program.say(**what)
    return [program.hear() for program in programs]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("ending", ["kill", "stop"])
def test_two_processes_exchange_10000_events_each_while_the_server_restarts_five_times(start, ending):
    restarts, grace = 5, 3
    each = 2_000 if ending == "kill" else 400
    server = start("serve", 0, grace)
    port = server.hear()["port"]
    peers = [start("exchange", f"http://127.0.0.1:{port}", *names) for names in (NAMES, NAMES[::-1])]
    assert all("ready" in peer.hear() for peer in peers)
    for number in range(1, restarts + 1):
        assert together(peers, do="publish", count=each, seconds=1.2) == [{"half": each // 2}] * 2
        server.end() if ending == "kill" else server.leave()
        server = start("serve", port, grace)
        server.hear()
        assert [peer.hear() for peer in peers] == [{"done": "publish"}] * 2
        if number % 2:  # else the next server dies before anything was confirmed
            assert together(peers, do="receive", count=number * each) == [{"done": "receive"}] * 2
            server.say(seconds=grace + 1)
    ann, bob = together(peers, do="tell")
    assert len(ann["accepted"]) == len(bob["accepted"]) == restarts * each
    told = {"from ann to bob": broken(ann, bob), "from bob to ann": broken(bob, ann)}
    if any(told.values()):
        pytest.fail(str(told))
