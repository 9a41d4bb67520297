"""The worker: a supervisor and its pool, run in this thread or in one of its own."""

import atexit
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

from ..app import LiteQ
from ..app.django import close_connections
from ..app.mainscript import only_definitions
from ..app.reference import refer_to
from ..beat.periodic import entries_of, name_of
from ..beat.scheduler import Scheduler
from ..exceptions import ImproperlyConfigured, LiteqError
from ..pools import RunnerSpec, make_pool
from ..pools.base import Limits, Run, SendState
from ..pools.forked import can_fork
from ..pools.interpreter import check_interpreter
from ..pools.output import Outputs
from ..pools.records import levels as log_levels
from ..sending.blocks import refuse_in_block
from ..sending.formats import result_serializer
from ..sending.options import check_name
from ..support.childprocess import is_child
from .autoscale import Scale, check_scale
from .child import adopt_app
from .control import State
from .cpus import usable_cpus
from .decide import policy_of
from .definitions import Definitions
from .lifecycle import Lifecycle
from .logging import LogPlan, enable_loggers
from .options import EMBEDDED, Program, checked
from .outboxes import relaying
from .output import catching_output
from .plan import Plan
from .queues import queues_of
from .runner import Runner
from .stdout import flushing_stdout
from .supervisor import Supervisor
from .task_log import TaskLog, logger

_LOAD = "liteq.worker.child:preload"
_MAKE = "liteq.worker.child:make_runner"
_STOPPED = "was stopped"


class Worker:
    """Runs the tasks of `app`.

    As `app.Worker(concurrency=2)`: `with` it, or `start()` and `stop()` it, from any thread; it
    installs no signal handlers and leaves no process behind however the host program ends. In a
    child process of a worker, which may import the module that starts it, it does nothing.

    `concurrency`: slots; as many as there are CPUs to use unless given. `queues`: names, those
    of `task_queues` and the default one unless given. `pool`: processes, threads or solo.
    `hostname`: the worker's name, `%h` is the host and `%p` the pid. `max_tasks_per_child` and
    `max_memory_per_child` (KiB): after which a child process is replaced. `autoscale`: the most
    and the least slots, of which it begins with the least; see `autoscale.py`. `beat`: fire
    periodic tasks as well. `logging`: what the child processes set up, see `LogPlan`.
    """

    def __init__(
        self,
        app: LiteQ,
        *,
        concurrency: int | None = None,
        queues: str | Sequence[str] | None = None,
        hostname: str | None = None,
        pool: str | None = None,
        max_tasks_per_child: int | None = None,
        max_memory_per_child: int | None = None,
        autoscale: tuple[int, int] | None = None,
        beat: bool = True,
        logging: LogPlan | None = None,
    ) -> None:
        self.app = app
        self.hostname: str = node_name(checked("hostname", hostname or None))
        self._lifecycle = Lifecycle(self)
        self._lifecycle.configuring()  # receivers of its signal may change the settings
        conf = app.conf
        self.pool_name: str = checked("pool", pool) or conf.worker_pool
        self.concurrency: int = (
            checked("concurrency", concurrency) or conf.worker_concurrency or usable_cpus()
        )
        self.scale: Scale | None = None if autoscale is None else check_scale(*autoscale)
        if self.scale is not None:
            self.concurrency = self.scale.least
        self.has_children: bool = self.pool_name == "processes"
        if self.pool_name == "solo":
            self.concurrency = 1
        self.queues: tuple[str, ...] = queues_of(app, queues)
        self.limits: Limits = Limits(
            checked("max_tasks_per_child", max_tasks_per_child) or conf.worker_max_tasks_per_child,
            checked("max_memory_per_child", max_memory_per_child)
            or conf.worker_max_memory_per_child,
        )
        self.beat: bool = checked("beat", beat)
        self.logging: LogPlan = logging or LogPlan()
        self._supervisor: Supervisor | None = None
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._error: BaseException | None = None

    # what it is

    @property
    def name(self) -> str:
        """Return the worker's name, as `inspect` shows it."""
        return self.hostname

    def is_alive(self) -> bool:
        """Return whether it works, as `is_alive` of a thread does. See `error` if it does not."""
        thread = self._thread
        return thread is not None and thread.is_alive() and self._error is None

    @property
    def error(self) -> BaseException | None:
        """Return the error that has ended it; None while it works, and if it was stopped."""
        return self._error

    def __repr__(self) -> str:
        queues = ", ".join(self.queues)
        return (
            f"<Worker {self.hostname}: {self._state()}, {self.pool_name} ({self.concurrency}), "
            f"queues {queues}>"
        )

    def _state(self) -> str:
        if self._error is not None:
            return f"ended by {type(self._error).__name__}"
        if self.is_alive():
            return "running"
        return "not started" if self._supervisor is None else "stopped"

    # in the host's thread

    def run(self) -> None:
        """Work in this thread until `stop` is called from another one or a signal handler.

        Raises ImproperlyConfigured for invalid settings, BrokerError when the store fails.
        """
        if self._in_child():
            self._log_not_started()
            return
        self._error = None  # it may have been run before
        supervisor = self.prepare()
        with self._in_this_thread():
            supervisor.start()
            self._serve(supervisor)

    def serve(self, supervisor: Supervisor) -> None:
        """Work in this thread until it is stopped, with what `prepare` returned, started."""
        with self._in_this_thread():
            self._serve(supervisor)

    @contextmanager
    def _in_this_thread(self) -> Iterator[None]:
        self._thread = threading.current_thread()
        try:
            yield
        except BaseException as exc:
            self._error = exc
            raise
        finally:
            self._thread = None

    def prepare(self, program: Program = EMBEDDED) -> Supervisor:
        """Return the supervisor.

        Raises ImproperlyConfigured for invalid settings, and in a child process of a worker.
        """
        if self._in_child():
            raise ImproperlyConfigured("a child process of a worker cannot be a worker")
        refuse_in_block("a worker that starts")
        self.app.load_tasks()
        if not self.app.tasks.names():
            logger.warning(
                "the worker of %r has no tasks: `include`, `imports` or autodiscover_tasks() name "
                "the modules to import",
                self.app,
            )
        self._lifecycle.starting()
        enable_loggers()  # a module of tasks, or a receiver, may have set up logging
        plan = self._plan()
        pool = make_pool(self.pool_name, self.concurrency, self._runner_spec(program))
        if not pool.kills and (limited := plan.limits.limited()):
            logger.warning(
                "the time_limit of %s has no effect: the pool %r cannot end a running task. Use "
                "soft_time_limit, or the pool 'processes'",
                limited,
                self.pool_name,
            )
        state = State(self.app, self)
        self._supervisor = Supervisor(self.app.broker, pool, plan, self._lifecycle, state)
        if self.scale is not None:
            if pool.resizes:
                self._supervisor.scale = self.scale
            else:
                logger.warning("autoscale has no effect: the pool %r has one size", self.pool_name)
        return self._supervisor

    # in a thread of its own

    def start(self) -> Self:
        """Start working in a thread; return once the worker is registered in the store.

        Raises what `run` raises, and LiteqError when it was started already.
        """
        if self._in_child():
            self._log_not_started()
            return self
        if self._thread is not None and self._thread.is_alive():
            raise LiteqError("this worker was started already")
        self._started.clear()  # it may have been started and stopped before
        self._error = None
        supervisor = self.prepare()
        # A daemon, so that a program that forgets to stop it can end; `atexit` stops it in order.
        self._thread = threading.Thread(
            target=self._work, args=(supervisor,), name="liteq-worker", daemon=True
        )
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            self._thread = self._supervisor = None
            raise self._error
        atexit.register(self.stop, 5.0)
        return self

    def stop(self, timeout: float | None = None) -> bool:
        """Stop claiming and let running tasks end; return whether all did in `timeout` seconds.

        What still runs then is ended at once and goes back to its queue. Without a `timeout` it
        waits for as long as the tasks take.
        """
        atexit.unregister(self.stop)
        supervisor, thread = self._supervisor, self._thread
        if supervisor is None or thread is None:
            return True
        supervisor.stop()
        if thread is threading.current_thread():  # called by a signal handler: it cannot wait
            return False
        thread.join(timeout)
        warm = not thread.is_alive()
        if not warm:
            supervisor.stop(force=True)
            thread.join(5.0)
            self._note_end(supervisor, _STOPPED)  # even if a task keeps its thread from ending
        self._thread = None
        return warm

    def reload(self) -> None:
        """Serve the tasks that were defined since it was started, as after SIGHUP.

        Child processes are replaced, each after the task it is in, and import the code anew. A pool
        without them runs what this process has defined by now. Raises LiteqError if it does not
        work.
        """
        if self._supervisor is None or not self.is_alive():
            raise LiteqError("this worker does not work: start it before you reload it")
        if self.has_children:
            self._supervisor.renew()
        else:
            self._supervisor.redefine(self._definitions())

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        # 50 ms, which programs without coroutines do not pay
        from asyncio import CancelledError, create_task, shield, to_thread

        starting = create_task(to_thread(self.start))
        try:
            return await shield(starting)
        except CancelledError:
            await starting  # a thread cannot be cancelled
            await to_thread(self.stop)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        from asyncio import to_thread

        await to_thread(self.stop)

    def _work(self, supervisor: Supervisor) -> None:
        try:
            supervisor.start()
        except BaseException as exc:  # noqa: BLE001 - raised again in the thread that started us
            self._error = exc
            self._started.set()
            return
        self._started.set()
        try:
            self._serve(supervisor)
        except Exception as exc:  # noqa: BLE001 - nobody else would tell the host program
            self._error = exc
            explained = isinstance(exc, LiteqError)
            logger.critical("the worker has ended: %s", exc, exc_info=None if explained else exc)

    def _serve(self, supervisor: Supervisor) -> None:
        """Work until stopped; the waits of this program see that a worker runs, and how it ends."""
        self.app.backend.embedded.started(supervisor.worker)
        why = _STOPPED
        try:
            with relaying(self.app.outboxes), catching_output(here=not self.has_children):
                supervisor.serve()
        except Exception as exc:
            why = f"has ended: {exc}"
            raise
        finally:
            self._note_end(supervisor, why)

    def _note_end(self, supervisor: Supervisor, why: str) -> None:
        self.app.backend.embedded.ended(supervisor.worker, why)

    def _in_child(self) -> bool:
        """Return whether this is a child process of a worker, which must not start one.

        Raises EndOfDefinitions in a child that runs the program's own script.
        """
        only_definitions()
        return is_child()

    def _log_not_started(self) -> None:
        logger.warning(
            "the worker of %r is not started in process %d, a child process of a worker that "
            "imports the program's modules",
            self.app.main,
            os.getpid(),
        )

    # its parts

    def _runner_spec(self, program: Program) -> RunnerSpec:
        describe = TaskLog().verbose

        def here(report: SendState, outputs: Outputs) -> Run:
            runner = Runner(
                self.app,
                hostname=self.hostname,
                describe=describe,
                report=report,
                outputs=outputs,
            )
            return runner.run if self.logging.stdout_level is None else flushing_stdout(runner.run)

        spec: dict[str, Any] = {}
        if self.has_children:
            check_interpreter()
            if self.app.broker.local:
                raise ImproperlyConfigured(
                    f"child processes cannot see {self.app.broker.url}: use pool='threads'"
                )
            spec = {
                "app": refer_to(self.app),
                "settings": {
                    "broker_url": self.app.broker.address,
                    "result_backend": None,
                    "include": self.app.conf.include,
                    **program.settings,
                },
                "config": program.config,
                "logging": tuple(self.logging),
                "hostname": self.hostname,
                "describe": describe,
            }
        forwards = self.has_children and self.logging.level is None
        wanted = log_levels() if forwards else None
        adopt = self._adopt(spec) if self.has_children and program.may_fork else None
        return RunnerSpec(_LOAD, _MAKE, spec, here, self.limits, wanted, adopt)

    def _adopt(self, spec: dict[str, Any]) -> Callable[[], None] | None:
        """Return `RunnerSpec.adopt`; None if the application has done what forks must not share.

        Receivers of the worker's own signals may have opened anything, and for this process only.
        """
        if "main" in spec["app"] or self._lifecycle.received():
            return None
        close_connections()
        return partial(adopt_app, self.app, spec) if can_fork() else None

    def _scheduler(self) -> Scheduler:
        return Scheduler(self.app.broker, name_of(self.app), entries_of(self.app))

    def _definitions(self) -> Definitions:
        return Definitions.of_tasks(self.app.tasks, self.app.conf)

    def _plan(self) -> Plan:
        conf = self.app.conf
        definitions = self._definitions()
        info: dict[str, object] = {
            "queues": self.queues,
            "pool": self.pool_name,
            "concurrency": self.concurrency,
            "tasks": definitions.names(),
            "at_most_once": definitions.at_most_once(),
        }
        return Plan(
            name=self.hostname,
            queues=self.queues,
            policy=policy_of(conf),
            info=info,
            serializer=result_serializer(conf, self.app.broker),
            limits=definitions.time_limits(conf.task_time_limit),
            definitions=definitions,
            grace=conf.shutdown_grace,
            scheduler=self._scheduler() if self.beat else None,
        )


def node_name(given: str | None) -> str:
    """Return the name of a worker, `NAME@HOST`.

    In `given`, %h is the host, %n its first part, %d its domain, and %p the pid.
    """
    host = socket.gethostname()
    short, _, domain = host.partition(".")
    name = given or f"worker{os.getpid()}@%h"
    for word, value in {"%h": host, "%n": short, "%d": domain, "%p": str(os.getpid())}.items():
        name = name.replace(word, value)
    return check_name("worker name", name if "@" in name else f"{name}@{host}")
