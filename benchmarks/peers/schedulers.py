"""One measurement of one scheduler, in a process of its own: `schedulers.py KIND METRIC [N]` prints a number.

KIND is ours, redengine, rocketry or apscheduler; it runs in the environment that has it.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import threading
import time
import tracemalloc
from datetime import datetime, timedelta


def nothing():
    pass


def rest():
    time.sleep(0.2)


class Ours:
    def __init__(self):
        from sessionkit_redengine import FuncTask, Session

        self.make = FuncTask
        self.session = Session(execution="main", timezone="UTC")

    def create(self, count):
        for number in range(count):
            self.make(nothing, session=self.session, name=str(number), start_cond="daily")

    def idle(self, count):
        """A scheduler whose tasks have all run today."""
        self.create(count)
        now = time.time()
        for task in self.session.tasks:
            task.state.start("before", now, now)
            task.state.finish("before", "success", now)

    def cycle(self, count):
        self.idle(count)
        scheduler = self.session.scheduler
        with scheduler._living(None):
            return best(scheduler.cycle, 2_000)

    def cpu(self, count):
        self.idle(count)
        return cpu_while(self.start, self.session.shut_down)

    def start(self):
        threading.Thread(target=self.session.start, daemon=True).start()

    def latency(self, count):
        from sessionkit_redengine.arguments import Due

        self.idle(count)
        late = []

        def tick(due=Due()):
            late.append(time.time() - due)

        self.make(tick, session=self.session, name="tick", start_cond="every 50 ms", execution="thread")
        self.start()
        time.sleep(2.5)
        self.session.shut_down()
        return sorted(late[2:])[len(late) // 2]

    def runs(self, count, execution):
        from sessionkit_redengine import Session

        session = self.session = Session.detached(execution=execution)
        tasks = [self.make(nothing, session=session, name=str(number)) for number in range(count)]
        warm = [self.make(rest, session=session, name=f"warm {number}") for number in range(2)]
        self.start()
        for wait in [task.run() for task in warm]:  # both processes are there then, as the peer's are
            wait.result()
        session.scheduler.on_hold = True
        for task in tasks:
            task.force_run = True
        while not session.scheduler.idle:
            time.sleep(0.01)
        begin = time.perf_counter()
        session.scheduler.on_hold = False
        while len(session.returns) < count + 2:
            time.sleep(0.005)
        return count / (time.perf_counter() - begin)


class RedEngine:
    def __init__(self):
        import redengine
        from redengine.tasks import FuncTask

        self.session = redengine.session
        self.session.config.silence_task_prerun = True
        self.make = FuncTask

    def task(self, name, start, execution="main"):
        return self.make(nothing, name=name, start_cond=start, execution=execution)

    def create(self, count):
        for number in range(count):
            self.task(str(number), "daily")

    def cycle(self, count):
        self.create(count)
        self.session.run(*(task.name for task in self.session.tasks))
        return best(self.session.scheduler.run_cycle, 5)

    def runs(self, count, execution):
        for number in range(50):
            self.task(str(number), "true", execution)
        return always(self.session, count)


class Rocketry(RedEngine):
    def __init__(self):
        from rocketry import Session
        from rocketry.tasks import FuncTask

        self.session = Session(config={"cycle_sleep": None, "silence_task_prerun": True})
        self.make = FuncTask

    def task(self, name, start, execution="main"):
        return self.make(nothing, name=name, start_cond=start, execution=execution, session=self.session)

    def cycle(self, count):
        import asyncio

        self.create(count)
        self.session.run(*(task.name for task in self.session.tasks))
        scheduler = self.session.scheduler
        return best(lambda: asyncio.run(scheduler.run_cycle()), 5)


def always(session, _):
    """Runs of fifty tasks that are always due, in two seconds."""
    stop = session.shut_down if hasattr(session, "shut_down") else session.shutdown
    threading.Timer(2.0, stop).start()
    begin = time.perf_counter()
    session.start()
    return len(list(session.get_task_log(action="success"))) / (time.perf_counter() - begin)


class ApScheduler:
    def __init__(self):
        from apscheduler.executors.pool import ProcessPoolExecutor, ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        pools = {"default": ThreadPoolExecutor(10), "process": ProcessPoolExecutor(2)}
        self.scheduler = BackgroundScheduler(
            executors=pools, timezone="UTC", job_defaults={"misfire_grace_time": None}
        )

    def create(self, count):
        for number in range(count):
            self.scheduler.add_job(nothing, "cron", hour=0, id=str(number))
        self.scheduler.start(paused=True)

    def cycle(self, count):
        self.create(count)
        self.scheduler.resume()
        return best(self.scheduler._process_jobs, 2_000)

    def cpu(self, count):
        self.create(count)
        return cpu_while(self.scheduler.resume, nothing)

    def latency(self, count):
        self.create(count)
        late = []
        start = time.time() + 0.3
        for number in range(40):
            due = start + number * 0.05
            moment = datetime.fromtimestamp(due).astimezone()
            self.scheduler.add_job(lambda due=due: late.append(time.time() - due), "date", run_date=moment)
        self.scheduler.resume()
        time.sleep(3)
        return sorted(late)[len(late) // 2]

    def runs(self, count, execution):
        from apscheduler.events import EVENT_JOB_EXECUTED

        pool = "process" if execution == "process" else "default"
        done, finished = [], threading.Event()

        def executed(event):
            done.append(event)
            if len(done) == awaited:
                finished.set()

        awaited = 2
        self.scheduler.add_listener(executed, EVENT_JOB_EXECUTED)
        past = datetime.now().astimezone() - timedelta(seconds=1)
        self.scheduler.start()
        for _ in range(awaited):
            self.scheduler.add_job(rest, "date", run_date=past, executor=pool)
        finished.wait(20)
        finished.clear()
        self.scheduler.pause()
        awaited += count
        for _ in range(count):
            self.scheduler.add_job(nothing, "date", run_date=past, executor=pool)
        begin = time.perf_counter()
        self.scheduler.resume()
        finished.wait(120)
        return count / (time.perf_counter() - begin)


KINDS = {"ours": Ours, "redengine": RedEngine, "rocketry": Rocketry, "apscheduler": ApScheduler}


def best(work, times):
    """Median seconds of one call."""
    work()
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return sorted(taken)[len(taken) // 2]


def cpu_while(start, stop):
    """Processor seconds per second while nothing is due."""
    start()
    time.sleep(0.5)
    begin = time.process_time()
    time.sleep(3)
    used = (time.process_time() - begin) / 3
    stop()
    return used


def measure(kind, metric, count):
    if metric == "import":
        begin = time.process_time()
        KINDS[kind]()
        return time.process_time() - begin
    measured = KINDS[kind]()
    if metric == "create":
        begin = time.perf_counter()
        measured.create(count)
        return time.perf_counter() - begin
    if metric == "memory":
        tracemalloc.start()
        measured.create(count)
        return tracemalloc.get_traced_memory()[0] / count
    if metric.startswith("runs-"):
        return measured.runs(count, metric.removeprefix("runs-"))
    return getattr(measured, metric)(count)


if __name__ == "__main__":
    result = measure(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    print(result, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(0)  # some of them wait for their threads
