"""The worlds of `current_model`: what befalls sessions, step by step, and what must be true after each."""

from __future__ import annotations

import contextvars
import gc
import os
import pickle
from contextlib import suppress
from functools import partial

from current_model import (
    KINDS,
    MOST_PLACES,
    Difference,
    Frame,
    Place,
    Service,
    TaskPlace,
    Told,
    Worker,
    activate,
    async_block,
    block,
    close,
    current,
    enter,
    first,
    last,
    leave,
    left_by,
    look,
    push,
    seen,
)

import sessionkit
from sessionkit import reaper
from sessionkit.errors import SessionClosed


class World:
    """Two threads, and what there is in them.

    Args:
        kinds: A session class, a subclass of it, and another one with another `__metakey__`.
    """

    def __init__(self, kinds=KINDS):
        self.kinds, self.service = kinds, Service()
        for kind in kinds:
            kind.service = self.service
        self.told = []
        self.workers = [Worker(), Worker()]
        self.places = [Place(worker) for worker in self.workers]
        self.frames, self.held, self.pool = [], {}, None

    # what is chosen

    def place(self, number):
        return self.places[number % len(self.places)]

    def one_held(self, number):
        return sorted(self.held)[number % len(self.held)] if self.held else None

    def take(self, step):
        kind, one, two, (who, user), how, trouble = step
        self.service.trouble = {} if trouble is None else dict([trouble])
        self.going_wrong = dict(self.service.trouble)
        getattr(self, f"do_{kind}")(one, two, self.kinds[who], user, how)
        self.check(step)

    def expect(self, what, got, wanted):
        if got != wanted:
            raise Difference(f"{what}: {got} instead of {wanted}")

    # what the table says of what goes wrong

    def raised(self, where):
        """What comes of it when somebody is asked to do this now."""
        return self.going_wrong.pop(where, None)

    def open(self, place, kind, user, *, detached=False):
        """A new session, or the error that its constructor ends with."""
        told = Told(len(self.told), kind, user, detached=detached)
        self.told.append(told)
        error = self.raised("sign_in")
        if error is None:
            if not detached:
                push(place, told)
            return told
        return self.end(place, told) or error

    def end(self, place, told):
        """Close; the interrupt that comes of it, or None."""
        if told.closed:
            return None
        close(place, told)
        errors = [self.raised("sign_out"), self.raised("on_close")]
        return next((error for error in reversed(errors) if error is KeyboardInterrupt), None)

    def call(self, place, kind, user):
        there = list(seen(place, kind))
        for told in there:
            if issubclass(told.kind, kind) if user is None else (told.kind is kind and told.user == user):
                told.borrowed = True
                if told is not there[0]:
                    push(place, told)
                return told
        return self.open(place, kind, user)

    @staticmethod
    def number(told):
        return told.number if isinstance(told, Told) else told

    # steps

    def do_call(self, one, two, kind, user, how):
        place, given = self.place(one), () if user is None else (user,)
        told = self.call(place, kind, user)
        self.take_hold(place, lambda: kind(*given), told, hold=two % 2)

    def take_hold(self, place, work, told, hold=True):
        kept = []

        def run():
            session = work()
            if hold:
                kept.append(session)
            return session.number

        self.expect("called", place.do(run), self.number(told))
        if kept:
            self.held[told.number] = kept.pop()

    def do_detach(self, one, two, kind, user, how):
        place, given = self.place(one), () if user is None else (user,)
        self.take_hold(place, lambda: kind.detached(*given), self.open(place, kind, user, detached=True))

    def do_enter(self, one, two, kind, user, how):
        place, number = self.place(one), self.one_held(two)
        plain = how != "finish"
        if how == "close" or number is None:
            opened, told = partial(kind, *(() if user is None else (user,))), self.call(place, kind, user)
            plain = True
        else:
            session, told = self.held[number], self.told[number]
            opened = session.activate if how == "finish" else partial(lambda session: session, session)
        frame = (async_block if two % 3 == 0 else block)(opened)
        wrong = told if not isinstance(told, Told) else SessionClosed if told.closed else None
        if wrong is not None:
            self.expect("entered", place.do(partial(self.begin, frame)), wrong)
            return
        item = enter(place, told) if plain else activate(place, told)
        self.expect("entered", place.do(partial(self.begin, frame)), None)
        self.frames.append(Frame(frame, item, place.worker))

    @staticmethod
    def begin(frame):
        first(frame)

    def do_leave(self, one, two, kind, user, how):
        if not self.frames:
            return
        frame, place = self.frames[two % len(self.frames)], self.place(one)
        is_async = hasattr(frame.held[0], "__anext__")
        if is_async and (how == "drop" or place.worker is not frame.worker):
            place = next(each for each in self.places if each.worker is frame.worker)
            how = "close" if how == "drop" else how
        if left_by(place, frame.item) is not frame.item:
            return
        self.frames.remove(frame)
        if how == "drop":
            self.service.trouble, self.going_wrong = {}, {}  # a finaliser's errors are only printed
        told = frame.item.told
        was_closed = told.closed
        leave(place, frame.item)
        error = None
        if told.closed and not was_closed:
            told.closed = False
            error = self.end(place, told)
        work = frame.held.clear if how == "drop" else partial(self.finish, frame.held, how)
        self.expect("left", place.do(work), error)

    @staticmethod
    def finish(held, how):
        last(held.pop(), how)

    def do_close(self, one, two, kind, user, how):
        number = self.one_held(two)
        if number is not None:
            place = self.place(one)
            error = self.end(place, self.told[number])
            self.expect("closed", place.do(self.held[number].close), error)

    def do_close_session(self, one, two, kind, user, how):
        place = self.place(one)
        told = current(place, kind)
        error = None if told is None else self.end(place, told)
        self.expect("closed", place.do(kind.close_session), error)

    def do_new_session(self, one, two, kind, user, how):
        place, given = self.place(one), () if user is None else (user,)
        told = current(place, kind)
        new = (None if told is None else self.end(place, told)) or self.open(place, kind, user)
        self.take_hold(place, lambda: kind.new_session(*given), new, hold=two % 2)

    def do_use(self, one, two, kind, user, how):
        number = self.one_held(two)
        if number is not None:
            session, place = self.held[number], self.place(one)
            wanted = SessionClosed if self.told[number].closed else "x"
            self.expect("used", place.do(session.ask), wanted)
            self.expect("pickled", place.do(lambda: pickle.dumps(session)), TypeError)

    def do_drop(self, one, two, kind, user, how):
        number = self.one_held(two)
        if number is not None:
            del self.held[number]

    def do_copy(self, one, two, kind, user, how):
        """A context, run in the same thread or in another."""
        if len(self.places) < MOST_PLACES:
            place = self.place(one)
            context = place.do(contextvars.copy_context)
            self.places.append(Place(self.workers[two % 2], place.chain, context.run))

    def do_task(self, one, two, kind, user, how):
        if len(self.places) < MOST_PLACES:
            self.places.append(TaskPlace(self.place(one)))

    def do_end_place(self, one, two, kind, user, how):
        place = self.place(one)
        if place not in self.places[:2]:
            self.places.remove(place)
            place.end()

    def do_end_thread(self, one, two, kind, user, how):
        """Another one begins, most often with the same ident."""
        at = one % 2
        worker = self.workers[at]
        if any(frame.worker is worker and hasattr(frame.held[0], "__anext__") for frame in self.frames):
            return  # its loop would close them, in any order
        for place in [place for place in self.places if place.worker is worker]:
            place.end()
        self.workers[at].end()
        self.workers[at] = Worker()
        self.places[at] = Place(self.workers[at])
        self.places = [place for place in self.places if place.worker is not worker]

    def do_pool(self, one, two, kind, user, how):
        """A task of a pool sees siblings of who is current here, and leaves nothing behind."""
        self.pool = self.pool or sessionkit.ThreadPoolExecutor(1)
        place, pool = self.place(one), self.pool
        account, loud, other = self.kinds
        wanted = self.wanted(place)
        top = next(seen(place, account), None)
        if top is not None and not issubclass(top.kind, loud):
            wanted[1] = None  # what is below the current one stays here

        def task():
            found = look(self.kinds)
            current = [each.get_session() for each in (account, other)]
            if any(not session._is_sibling for session in current if session is not None):
                return "a session of another thread"
            return found

        self.expect("the pool saw", place.do(lambda: pool.submit(task).result(30)), wanted)

        def leave_one():
            other("left")
            return other.current().number

        self.service.trouble, self.going_wrong = {}, {}
        left = Told(len(self.told), other, "left")
        self.told.append(left)
        self.expect("made in the pool", place.do(lambda: pool.submit(leave_one).result(30)), left.number)

    def do_fork(self, one, two, kind, user, how):
        place = self.place(one)
        wanted = self.wanted(place)

        def fork():
            child = os.fork()
            if child == 0:
                status = 1
                with suppress(BaseException):
                    status = self.in_child(wanted)
                os._exit(status)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

        self.service.trouble, self.going_wrong = {}, {}
        self.expect("the child ended with", place.do(fork), 0)

    def in_child(self, wanted):
        if look(self.kinds) != wanted:
            return 2
        inherited = sessionkit.sessions()
        if not all(session.inherited for session in inherited):
            return 3
        for session in inherited:
            session.close()
        return 4 if look(self.kinds) != [None, None, None] else 0

    def do_collect(self, one, two, kind, user, how):
        self.collect()

    # what must be true

    def reachable(self):
        found = {frame.item.told.number for frame in self.frames} | set(self.held)
        for worker in self.workers:
            found |= {told.number for told in worker.own}
        for chain in [place.chain for place in self.places] + [frame.item.below for frame in self.frames]:
            found |= {item.told.number for item in chain if item.open and item.block is not None}
        return found

    def wanted(self, place):
        return [self.number(current(place, each)) for each in self.kinds]

    def check(self, step):
        for number, place in enumerate(self.places):
            found = place.do(partial(look, self.kinds))
            self.expect(f"current at place {number} after {step[0]}", found, self.wanted(place))
        reachable = self.reachable()
        if len(self.service.seen) != len(self.told):
            raise Difference(f"{len(self.service.seen)} sessions instead of {len(self.told)}")
        for told, reference in zip(self.told, self.service.seen, strict=True):
            number, session = told.number, reference()
            if not told.closed and number in reachable:
                self.expect(f"{number} is open", session is not None and not session.closed, True)
                self.expect(f"{number} signed out", self.service.outs[number], 0)
            if told.closed:
                self.expect(f"{number} signed out", self.service.outs[number], 1)
                self.expect(f"{number} let go", self.service.drops[number], 1)
            del session

    def collect(self):
        """Nobody is kept alive by nobody, and all who are gone have signed out."""
        gc.collect()
        settle()
        reachable = self.reachable()
        for told, reference in zip(self.told, self.service.seen, strict=True):
            if told.number not in reachable:
                self.expect(f"{told.number} is alive", reference() is not None, False)
                self.expect(f"{told.number} signed out", self.service.outs[told.number], 1)
                self.expect(f"{told.number} let go", self.service.drops[told.number], 1)

    def finish_all(self):
        self.service.trouble = {}
        for frame in self.frames:
            Place(frame.worker if frame.worker in self.workers else self.workers[0]).do(
                partial(self.finish, frame.held, "close")
            )
        self.frames.clear()
        if self.pool is not None:
            self.pool.shutdown()
        for place in self.places:
            place.end()
        for worker in self.workers:
            worker.end()
        self.places, self.workers, self.pool = [], [], None
        self.held.clear()
        self.collect()


def settle():
    """Wait until the reaper has closed who was forgotten."""
    for _ in range(2):
        marker = reaper._Marker()
        reaper.reaper.adopt(marker)
        marker.wait(30)


def play(steps, **given):
    """Live through `steps` in a world; raises `Difference`. How many sessions there were."""
    world = World(**given)
    try:
        for step in steps:
            world.take(step)
    except BaseException:
        with suppress(Exception):
            world.finish_all()
        raise
    world.finish_all()
    return len(world.told)
