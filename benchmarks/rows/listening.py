"""Does it cost more when many others listen: for results, or for work?"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from selectors import EVENT_READ, DefaultSelector

from contenders.liteq_ import LiteqFast
from processes import Failed, cpu_seconds
from worker import started

from .base import Options, Reading

WAITERS = 1_000
WORKERS = 200
FLEET = 50  # workers that look for dead ones
FAR = 86_400.0  # seconds
STACK = 256 * 1024  # bytes, of each waiting thread
TRIPS = 500  # in one turn
TASKS = 500  # in one turn


def waiters(contender: LiteqFast, options: Options) -> Reading:
    """Return the processor time of a trip, all processes together, beside 1,000 threads in
    `get()`, as a multiple of that beside none; and what those threads take when nothing happens,
    in percent."""
    with started(contender) as worker:
        for i in range(TRIPS):
            _check(contender.add_and_get(i, 1), i + 1)
        alone = _cost_of_trips(contender)
        with _beside(_wait) as pid:
            before, begin = cpu_seconds(_mark()), time.perf_counter()
            time.sleep(options.idle)
            used, took = cpu_seconds(_mark()) - before, time.perf_counter() - begin
            crowded = _cost_of_trips(contender)
        alone = (alone + _cost_of_trips(contender)) / 2
        if worker.program.poll() is not None or pid == os.getpid():
            raise Failed("the worker ended")
    return Reading(trip=crowded / alone, idle=100 * used / took)


def workers(contender: LiteqFast, options: Options) -> Reading:
    """Return the processor time of a task, from `delay()` to the settlement, with 200 idle
    workers, as a multiple of that with one."""
    one = _cost_of_tasks(contender, 1)
    many = _cost_of_tasks(contender, WORKERS)
    return Reading(task=many / one, one=1e6 * one, many=1e6 * many)


def rescue(contender: LiteqFast, options: Options) -> Reading:
    """Return what 50 workers take together to look for dead ones, in percent of a core."""
    from liteq.brokers import connect
    from liteq.brokers.base import Rescue

    stores = [connect(contender.app.broker.url) for _ in range(FLEET)]
    for store in stores:
        store.register("bench", "{}")
    looks = 0
    begin, used = time.perf_counter(), time.process_time()
    while (took := time.perf_counter() - begin) < options.idle:
        for store in stores:  # each once a second, as a worker does it
            if store.begin_rescue(0.9):
                looks += 1
                if store.rescue(lambda info, held, restarted: Rescue([], [])):
                    raise Failed("a worker that lives was held to be dead")
        time.sleep(max(1.0 - (time.perf_counter() - begin) % 1.0, 0.01))
    used = time.process_time() - used
    if looks < int(options.idle):
        raise Failed(f"{looks} looks in {options.idle} s")
    return Reading(percent=100 * used / took, looks=looks / took)


def _mark() -> str:
    return f"BENCH_RUN={os.environ['BENCH_RUN']}"


def _check(value: int, wanted: int) -> None:
    if value != wanted:
        raise Failed(f"{value!r} came, not {wanted}")


def _cost_of_trips(contender: LiteqFast) -> float:
    """Return the seconds of processor time for one trip, in all processes of this measurement."""
    before = cpu_seconds(_mark())
    for i in range(TRIPS):
        _check(contender.add_and_get(i, 1), i + 1)
    return (cpu_seconds(_mark()) - before) / TRIPS


@contextmanager
def _beside(program) -> Iterator[int]:  # type: ignore[no-untyped-def]
    """Run `program` in a process of its own, from when it is ready on."""
    spawn = get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=program, args=(there,), daemon=True)
    process.start()
    try:
        if not here.poll(60) or here.recv() != "ready":
            raise Failed("it does not become ready")
        yield process.pid or 0
    finally:
        process.kill()
        process.join()


def _wait(ready: Connection) -> None:
    """Wait for 1,000 results that do not come."""
    from liteq_project import add

    threading.stack_size(STACK)
    started = threading.Semaphore(0)

    def wait() -> None:
        result = add.apply_async((1, 1), countdown=FAR)
        started.release()
        result.get(timeout=FAR)

    for _ in range(WAITERS):
        threading.Thread(target=wait, daemon=True).start()
    for _ in range(WAITERS):
        started.acquire()
    time.sleep(1.0)
    ready.send("ready")
    ready.recv()


def _cost_of_tasks(contender: LiteqFast, count: int) -> float:
    """Return the seconds of processor time for one task, of the sender and `count` workers
    together."""
    spawn = get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(there, count), daemon=True)
    process.start()
    if here.recv() != "ready":
        raise Failed("it does not become ready")
    costs = []
    for _ in range(5):
        before = cpu_seconds(_mark())
        contender.enqueue_each(TASKS)
        deadline = time.monotonic() + 20
        while contender.left():
            if time.monotonic() > deadline:
                raise Failed(f"{contender.left()} tasks are left")
            time.sleep(0.002)
        costs.append((cpu_seconds(_mark()) - before) / TASKS)
    process.kill()
    process.join()
    return sorted(costs)[2]


def _serve(ready: Connection, count: int) -> None:
    """Be `count` workers with one slot each, which claim and settle as supervisors do."""
    from liteq_project import app

    from liteq.brokers.base import Claim
    from liteq.model.outcome import Settlement
    from liteq.states import Phase

    broker, selector = app.broker, DefaultSelector()
    for _ in range(count):
        number = broker.register("bench", "{}")
        listener = broker.work_listener(number)
        claim = Claim(number, (app.conf.task_default_queue,), 1)
        broker.claim(claim)
        selector.register(listener, EVENT_READ, (listener, claim))
    ready.send("ready")
    while True:
        for key, _ in selector.select():
            listener, claim = key.data
            listener.clear()
            claimed = broker.claim(claim)
            while claimed:
                now = time.time()
                done = [
                    Settlement(each.receipt, Phase.SUCCEEDED, now, b"1", "json", keep_until=now)
                    for each in claimed
                ]
                claimed = broker.settle(done, claim).claimed
