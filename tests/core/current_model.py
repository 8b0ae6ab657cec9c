"""Who is signed in here and now, in random histories of threads, tasks, contexts and blocks.

The places at which somebody may be signed in are real: threads, asyncio tasks in them, and contexts copied
from either, also to another thread. They move one at a time. Blocks are `with` statements in generators and
async generators, which are entered at one place and left at any. The oracle is the table of docs/sessions.md
on plain lists: what each thread made, and which blocks were entered on the way to each place.

What is asked of it after every step: at each place the current session of each kind is the one of the table;
who closed has signed out once, and nobody else has; what nobody holds any more dies, and signs out too.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import weakref
from collections import Counter
from contextlib import suppress

from echo import Echoing

from sessionkit import NoCurrentSession, SessionEngine

PATIENCE = 30
MOST_PLACES = 8


class Difference(AssertionError):
    """What happened is not what the table says."""


# --- histories ---

WEIGHTS = {"call": 8, "enter": 9, "leave": 9, "detach": 2, "close": 3, "close_session": 2}
WEIGHTS |= {"new_session": 2, "use": 2, "drop": 5, "copy": 3, "task": 3, "end_place": 3}
WEIGHTS |= {"end_thread": 2, "pool": 2, "collect": 1}


def steps_of(rng, length=40, forks=False):
    """A random history."""
    weights = WEIGHTS | ({"fork": 3} if forks else {})
    steps = []
    for kind in rng.choices(list(weights), list(weights.values()), k=length):
        numbers = [rng.randrange(12) for _ in range(2)]
        trouble = rng.choice(TROUBLES) if rng.random() < 0.15 else None
        who = rng.choice((0, 0, 1, 2)), rng.choice(USERS)
        steps.append((kind, *numbers, who, rng.choice(("close", "throw", "finish", "drop")), trouble))
    return steps


# --- sessions ---


class Trouble(Exception):
    """What a service says instead."""


here = threading.local()


class Service:
    """Counts who comes and goes; `trouble` says what goes wrong next for a worker, and how."""

    def __init__(self):
        self.process = os.getpid()
        self.seen, self.outs, self.drops = [], Counter(), Counter()
        self.trouble = {}

    def meet(self, where):
        error = self.trouble.pop(where, None) if hasattr(here, "worker") else None
        if error is not None:
            raise error


class Counted:
    """What is counted of a session; put before a session class."""

    service = None

    def __init__(self, user="ann", **given):
        super().__init__(**given)
        self.number = len(self.service.seen)
        self.service.seen.append(weakref.ref(self))
        self.service.meet("sign_in")

    def ask(self):
        return self.execute("x")

    def sign_out(self):
        if os.getpid() != self.service.process:
            os._exit(9)
        super().sign_out()
        self.service.outs[self.number] += 1
        self.service.meet("sign_out")

    def on_close(self):
        super().on_close()
        if self.owns_credential:
            self.service.drops[self.number] += 1
            self.service.meet("on_close")


class Account(Counted, Echoing, SessionEngine):
    __metakey__ = "model.account"


class Loud(Account):
    """Found where an Account is asked for."""


class Other(Account):
    __metakey__ = "model.other"


KINDS = (Account, Loud, Other)
USERS = (None, "ann", "bob", "carl")
TROUBLES = (
    *(("sign_in", Trouble), ("sign_in", KeyboardInterrupt)),
    *(("sign_out", Trouble), ("sign_out", KeyboardInterrupt), ("on_close", Trouble)),
    ("on_close", KeyboardInterrupt),
)


def look(kinds):
    """Who is current, asked in each way; the number of each."""
    found = []
    for kind in kinds:
        session = kind.get_session()
        try:
            same = kind.current() is session
        except NoCurrentSession:
            same = session is None
        found.append(getattr(session, "number", None) if same else "two at once")
    return found


def block(opened):
    with opened() as session:
        yield session.number


async def async_block(opened):
    with opened() as session:
        yield session.number


def first(frame):
    """Enter a block of either sort; nothing in it really waits."""
    if not hasattr(frame, "__anext__"):
        return next(frame)
    with suppress(StopIteration):
        frame.__anext__().send(None)
    return None


def last(frame, how):
    """Have its block left."""
    is_async = hasattr(frame, "__anext__")
    with suppress(StopIteration, StopAsyncIteration, GeneratorExit, ZeroDivisionError):
        if how == "throw":
            frame.athrow(ZeroDivisionError()).send(None) if is_async else frame.throw(ZeroDivisionError())
        elif how == "close":
            frame.aclose().send(None) if is_async else frame.close()
        else:
            frame.__anext__().send(None) if is_async else next(frame)


class Frame:
    """A block that is open somewhere."""

    def __init__(self, frame, item, worker):
        self.held, self.item, self.worker = [frame], item, worker


# --- places ---


def outcome(work):
    """What comes of it; of an error only the type, for the rest would keep sessions alive."""
    try:
        return work()
    except BaseException as error:
        return type(error)


class Worker:
    """A thread that does what it is told, one thing at a time, with an event loop of its own."""

    def __init__(self):
        self.orders, self.answers = queue.SimpleQueue(), queue.SimpleQueue()
        self.own = []  # the oracle's: what was made here by plain calls
        self.thread = threading.Thread(target=self._live, daemon=True)
        self.thread.start()

    def _live(self):
        here.worker, self.loop = True, asyncio.new_event_loop()
        while self._obey(self.orders.get()):
            pass
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def _obey(self, work):
        if work is not None:
            self.answers.put(outcome(work))
        return work is not None

    def do(self, work):
        self.orders.put(work)
        return self.answers.get(timeout=PATIENCE)

    def pump(self):
        """Let the loop see to async generators that were dropped."""
        self.do(lambda: self.loop.run_until_complete(asyncio.sleep(0.0)))
        self.do(lambda: self.loop.run_until_complete(asyncio.sleep(0.0)))

    def end(self):
        self.orders.put(None)
        self.thread.join(PATIENCE)


class Place:
    """Somewhere in a thread; `chain` is the oracle's: what was entered on the way here, the latest last."""

    def __init__(self, worker, chain=(), run=lambda work: work()):
        self.worker, self.chain, self.run = worker, list(chain), run

    def do(self, work):
        return self.worker.do(lambda: self.run(work))

    def end(self):
        """Nothing is kept of a thread's own place, nor of a context."""


async def _attend(orders):
    while (order := await orders.get()) is not None:
        work, done = order
        done.set_result(outcome(work))
        del order, work, done


class TaskPlace(Place):
    """An asyncio task started at another place."""

    def __init__(self, parent):
        super().__init__(parent.worker, parent.chain, self._order)
        self.orders = asyncio.Queue()
        self.task = parent.do(lambda: parent.worker.loop.create_task(_attend(self.orders)))

    def _order(self, work):
        async def order():
            done = self.worker.loop.create_future()
            self.orders.put_nowait((work, done))
            return await done

        return self.worker.loop.run_until_complete(order())

    def end(self):
        self.orders.put_nowait(None)
        self.worker.do(lambda: self.worker.loop.run_until_complete(self.task))
        self.task = None


# --- the table ---


class Told:
    """What is known of a session."""

    def __init__(self, number, kind, user, *, detached=False):
        self.number, self.kind, self.user, self.detached = number, kind, user or "ann", detached
        self.closed = self.borrowed = self.closes = False
        self.blocks = []


class Item:
    """A block that was entered, or (of `block`) a session made inside one."""

    def __init__(self, told, worker, block=None, below=()):
        self.told, self.worker, self.block, self.below = told, worker, block, tuple(below)
        self._open = True

    @property
    def open(self):
        return self._open and (self.block is None or self.block.open)

    def leave(self):
        self._open = False


def seen(place, kind):
    """The open sessions that can be seen, the current one first."""
    chain = [item.told for item in place.chain if item.open and item.worker is place.worker]
    for told in reversed([*place.worker.own, *chain]):
        if told.kind.__metakey__ == kind.__metakey__ and not told.closed:
            yield told


def current(place, kind):
    return next((told for told in seen(place, kind) if issubclass(told.kind, kind)), None)


def push(place, told):
    for item in reversed(place.chain):
        same = item.told.kind.__metakey__ == told.kind.__metakey__
        if same and item.block is None and item.open and item.worker is place.worker:
            place.chain.append(Item(told, place.worker, item))
            return
    place.worker.own = [other for other in place.worker.own if other is not told] + [told]


def close(place, told):
    told.closed = True
    if told in place.worker.own:
        place.worker.own.remove(told)


def enter(place, told):
    """By `with`."""
    if not told.blocks:
        told.closes = not told.borrowed
    told.borrowed = False
    if told.closes and told in place.worker.own:
        place.worker.own.remove(told)
    told.blocks.append(Item(told, place.worker) if told.detached else activate(place, told))
    return told.blocks[-1]


def activate(place, told):
    below = [item for item in place.chain if item.told.kind.__metakey__ == told.kind.__metakey__]
    place.chain.append(Item(told, place.worker, below=below))
    return place.chain[-1]


def leave(place, item):
    item.leave()
    told = item.told
    if item in told.blocks:
        told.blocks.remove(item)
        if not told.blocks and told.closes and not told.closed:
            close(place, told)


def left_by(place, item):
    """Which block is left: a session entered twice cannot know, and takes the innermost of its own here."""
    blocks = item.told.blocks
    if item not in blocks or item.told.detached:
        return item
    return next((each for each in reversed(place.chain) if each in blocks), blocks[-1])
