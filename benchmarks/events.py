"""The event hub beside the vendor's own, `ftrack_api.event.hub` (in an environment of its own).

The vendor's side runs in a process of its own; both do the same number of the same thing in a round, and what
is compared is the processor time each needs for it.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionkit.events import Event, EventHub, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.report import Report

ROOT = Path(__file__).parents[1]
ROUNDS = 9
SERVER = ROOT / "tests/events/event_programs.py"

EXPRESSIONS = {
    "1 condition": "topic=ftrack.update",
    "3 conditions": "topic=ftrack.update and source.user.username=bob and data.kind != x",
    "5 conditions, nested": "a=b and ((c=d or e!=f) and not g.h > 10)",
}


class Process:
    """A process that answers each line with a line of JSON."""

    def __init__(self, *command: Any) -> None:
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, *words: object) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return self.hear()

    def hear(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait(10)


def run(report: Report) -> None:
    vendor_python = subprocess.run(
        [ROOT / ".ci/env", "ftrack"], check=True, capture_output=True, text=True
    ).stdout.strip()
    server = Process(sys.executable, SERVER, "serve", 0, 15)
    url = f"http://127.0.0.1:{server.hear()['port']}"
    vendor = Process(vendor_python, "-W", "ignore", Path(__file__).parent / "peers/ftrack_events.py", url)
    try:
        _dispatch(report, vendor)
        _parse(report, vendor)
        _socket(report, vendor, url)
        hub = EventHub()
        report.cost("emit with no subscriber", lambda: hub.enabled, budget="<= 30 ns", number=200_000)
    finally:
        vendor.end()
        server.end()


def _ratio(
    report: Report, name: str, ours: Callable[[], Any], theirs: Callable[[], float], budget: str | None = None
) -> None:
    """Processor seconds in this process against those in the vendor's, in interleaved rounds."""
    ours(), theirs()
    ratios = []
    for _ in range(ROUNDS):
        gc.collect()
        begin = time.process_time()
        ours()
        mine = time.process_time() - begin
        ratios.append(theirs() / max(mine, 1e-9))
    report.figures(f"{name}, ftrack_api", ratios, unit="x", budget=budget)


def _dispatch(report: Report, vendor: Process) -> None:
    for count, matching, times, budget in (
        (10, 1, 2_000, None),
        (100, 1, 1_000, None),
        (1_000, 10, 200, ">= 60x"),
    ):
        hub = EventHub()
        for number in range(count):
            hub.subscribe(f"topic=ftrack.topic{number // matching}", _nothing)
        event = Event("ftrack.topic3", data={"n": 1})
        _ratio(
            report,
            f"dispatch, {count} subscribers, {matching} match",
            _times(times, partial(hub.publish, event, synchronous=True)),
            partial(vendor.ask, "dispatch", count, matching, times),
            budget,
        )


def _parse(report: Report, vendor: Process) -> None:
    for name, text in EXPRESSIONS.items():
        ours = _times(50, partial(Subscription, text))
        _ratio(report, f"parse, {name}", ours, partial(vendor.ask, "parse", text, 50))


def _socket(report: Report, vendor: Process, url: str) -> None:
    """Publish events that come back to their publisher, and wait for all of them."""
    count = 1_000
    with EventHub(url) as hub:
        received: list[Event] = []
        done = threading.Event()

        def heard(event: Event) -> None:
            received.append(event)
            if len(received) == count:
                done.set()

        hub.subscribe("topic=echo.ours", heard)
        hub.run_in_thread()
        hub.flush()

        def echo() -> None:
            received.clear()
            done.clear()
            for number in range(count):
                hub.publish(Event("echo.ours", data={"n": number}))
            assert done.wait(60)

        _ratio(
            report, f"publish and receive {count} over the socket", echo, partial(vendor.ask, "echo", count)
        )
        report.rate("the same, ours", echo, operations=count)


def _nothing(_: Event) -> None:
    pass


def _times(count: int, work: Callable[[], Any]) -> Callable[[], None]:
    def repeat() -> None:
        for _ in range(count):
            work()

    return repeat
