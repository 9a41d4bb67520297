"""The application: settings, tasks and a store in one object."""

import sys
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    ParamSpec,
    Self,
    TypeVar,
    Unpack,
    overload,
)

from .. import result
from ..brokers.base import Broker
from ..canvas import Signature, layout, signature
from ..canvas.builtins import add_to
from ..config import Config
from ..config.deferred import DeferredConfig
from ..model.graph import ALONE, Place
from ..result.app import (
    get_current_task,
    register_app,
    set_current,
    set_default,
    unregister_app,
)
from ..result.backend import Backend
from ..sending.call_options import SendOptions
from ..sending.eta import zone_of
from ..sending.formats import result_serializer
from ..sending.options import check_name
from ..sending.producer import Producer
from ..signals import Signal, import_modules
from ..task import Task
from . import django
from .asyncsends import AsyncSends
from .discovery import Discovery, Packages, import_named
from .duplicates import keeps
from .factory import task_class, task_of
from .keywords import checked
from .mainscript import only_definitions
from .options import apply_settings, check_attributes, declare_limits
from .reference import calling_module, refer_to
from .registry import Registry
from .sender import Sender
from .store import backend_of, broker_of, fix_store, own_broker, warn_of_other_results
from .tools import Tools
from .twice import in_script, run_as, take_tasks

# Some methods import what they use when they are called: with all of that at the top, `import
# liteq` takes 30 ms instead of 22.
if TYPE_CHECKING:
    from ..beat.periodic import PeriodicOptions
    from ..schedules import BaseSchedule
    from ..worker import worker
    from ..worker.options import WorkerOptions
    from .asynctask import AsyncTask, MakeBoundTask, MakeTask

P = ParamSpec("P")
R = TypeVar("R")


class LiteQ(AsyncSends, Tools):
    """A task queue: `app = LiteQ("project")`.

    `main`: its name. It replaces `__main__` in the names of tasks, and names the file of the
    store when no `broker` is given. `broker`: URL of the store, or a Broker. `result_backend`
    (Celery's `backend`): of no use, since results are stored with the tasks.
    `include`: modules that a worker imports. `set_as_current`: make it the current app.
    `task_cls`: base class of its tasks, or "module:Class"; in a Django project DjangoTask unless
    given. `config_source`, `namespace`: see `config_from_object`. Other keywords are settings.

    Raises ImproperlyConfigured for settings that are not valid.
    """

    _finalized = False
    has_own_send_task: bool = False  # a subclass has overridden it

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.has_own_send_task = cls.send_task is not LiteQ.send_task

    def __init__(
        self,
        main: str | None = None,
        *,
        broker: str | Sequence[str] | Broker | None = None,
        result_backend: str | None = None,
        backend: str | None = None,
        include: Iterable[str] = (),
        set_as_current: bool = True,
        task_cls: type[Task[..., Any]] | str | None = None,
        config_source: Any = None,
        namespace: str | None = None,
        **settings: Any,
    ) -> None:
        self.main = main
        self.module: str = calling_module()
        self.Task: type[Task[..., Any]] = type("Task", (task_class(task_cls),), {"app": self})
        self.on_after_finalize: Signal = Signal("app.on_after_finalize")
        self._deferred = DeferredConfig(self)
        self.on_configure: Signal = self._deferred.on_configure
        self.on_after_configure: Signal = self._deferred.on_after_configure
        self._lock = threading.RLock()
        self._registry = Registry()
        self._sender = Sender(self, self._registry)
        self._discovery = Discovery()
        self.periodic_tasks: dict[str, dict[str, Any]] = {}  # from `add_periodic_task`
        self._backend: Backend | None = None
        self._producer: Producer | None = None
        conf = self._deferred.values
        self._broker = own_broker(broker, conf)
        conf.update(checked(settings))
        if broker is not None and not isinstance(broker, Broker):
            conf["broker_url"] = broker
        if result_backend or backend:
            conf.result_backend = result_backend or backend
        if include:
            conf["include"] = include
        if self._broker is not None:
            warn_of_other_results(conf, self._broker)
        if config_source is not None:
            self.config_from_object(config_source, namespace=namespace)
        if set_as_current:
            self.set_current()
        register_app(self)

    # settings

    @property
    def conf(self) -> Config:
        """Return the settings, to be read by attribute or by item."""
        return self._deferred.values if self._deferred.settled else self._deferred.current()

    def config_from_object(
        self, source: Any, silent: bool = False, force: bool = False, namespace: str | None = None
    ) -> None:
        """Take settings from `source`: a module, class, object or mapping, or its dotted name.

        It is read when a setting is used for the first time; with `force`, now.
        `namespace="CELERY"`: only names that begin with `CELERY_`. `silent`: ignore a module that
        does not exist.
        """
        self._deferred.add(source, namespace, silent=silent, force=force)

    def config_from_envvar(
        self, variable_name: str, silent: bool = False, force: bool = False
    ) -> None:
        """Take settings from the module that the environment variable names.

        Raises ImproperlyConfigured when the variable is not set, unless `silent`.
        """
        self._deferred.add_named_by(variable_name, silent=silent, force=force)

    # tasks

    @overload
    def task(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> "AsyncTask[P, R]": ...
    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, R]: ...
    @overload
    def task(self, /, *, bind: Literal[True], **options: Any) -> "MakeBoundTask": ...
    @overload
    def task(self, /, *, bind: Literal[False] = False, **options: Any) -> "MakeTask": ...
    def task(self, function: Any = None, /, **options: Any) -> Any:
        """Make a function a task: `@app.task`, or `@app.task(queue="mail", max_retries=5)`.

        `name`: instead of `module.function`. `bind`: pass the task itself as first argument.
        `base`: its class. Other options become attributes of the task. If the name is taken, the
        task that has it is returned, with a warning if its function is another one; at a prompt
        and in a notebook the new one replaces it. Raises ImproperlyConfigured for a wrong option.
        """
        if function is None:
            return lambda function: self._task(function, **options)
        return self._task(function, **options)

    def _task(
        self,
        function: Callable[..., Any],
        /,
        name: str | None = None,
        base: type[Task[..., Any]] | None = None,
        **options: Any,
    ) -> Task[..., Any]:
        name = name or self.gen_task_name(function.__name__, function.__module__)
        known = self._registry.get(name)
        if known is None or not keeps(known, function):
            self._registry.pop(name, None)
            self.register_task(task_of(self, function, name, base or self.Task, **options))
        return self._registry[name]

    def add_function(self, function: Callable[..., Any], /, **options: Any) -> Any:
        """Make `function` a task, as `task` does."""
        decorate: Any = self.task(**options)
        return decorate(function)

    def register_task(self, task: Task[P, R] | type[Task[P, R]]) -> Task[P, R]:
        """Make `task`, an instance or a class, a task of this app; return the instance.

        Raises InvalidTaskError for a name that is not printable, ImproperlyConfigured for an
        attribute that cannot have its value.
        """
        instance = task() if isinstance(task, type) else task
        kind = type(instance)
        instance.name = instance.name or self.gen_task_name(kind.__name__, kind.__module__)
        check_name("task name", instance.name)
        check_attributes(instance)
        instance.app = self
        instance.bind(self)
        declare_limits(instance)
        self._registry.add(instance)
        if self._finalized:
            apply_settings(instance, self.conf)
        return instance

    def gen_task_name(self, name: str, module: str) -> str:
        """Return the name of a task that was given none; override it to use other names."""
        if in_script(module):
            module = run_as(self) or self.main or "__main__"
        return f"{module}.{name}"

    @property
    def tasks(self) -> Registry:
        """Return the tasks by name, finalized."""
        self.finalize()
        return self._registry

    def finalize(self) -> None:
        """Declare the tasks complete, which applies `task_annotations` and retry defaults to them.

        Reading `tasks` does it, too. Later calls do nothing.
        """
        with self._lock:
            if self._finalized:
                return
            add_to(self)
            self._finalized = True
            for task in list(self._registry.values()):
                apply_settings(task, self.conf)
        self._deferred.send_after_configure(complete=True)
        self.on_after_finalize.send(sender=self)

    def autodiscover_tasks(
        self, packages: Packages = None, related_name: str | None = "tasks", force: bool = False
    ) -> None:
        """Make workers import the module `related_name` of each package that has one.

        `packages` may be a function that returns them; without `packages` they are the installed
        apps of Django. `force`: import now.
        """
        self._discovery.add(packages, related_name)
        if force:
            self._discovery.run()

    def load_tasks(self) -> None:
        """Import all modules with tasks, as a worker does: `imports`, `include`, discovered ones.

        Raises ImproperlyConfigured for one that cannot be imported.
        """
        django.set_up()
        import_named((*self.conf.imports, *self.conf.include))
        self._discovery.run()
        import_modules.send(sender=self)
        if in_script(self.module):
            take_tasks(self, self._registry)
        self.finalize()
        self._deferred.send_after_configure(complete=True)  # for handlers in those modules

    # sending

    def send_task(
        self,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[SendOptions],
    ) -> "result.AsyncResult[Any]":
        """Send a task by its name, with the options of `apply_async`.

        Its code need not be in this process. Raises what `apply_async` raises.
        """
        return self._sender.send(name, args, kwargs, options)

    def enqueue_many(
        self, signatures: Iterable[Signature], **options: Unpack[SendOptions]
    ) -> "list[result.AsyncResult[Any]]":
        """Send many calls in one transaction: all or none.

        `app.enqueue_many(add.s(n, n) for n in range(1000))`. `options` apply to all of them.
        Returns the results in the same order. Raises what `apply_async` raises.
        """
        return self._sender.send_many(signatures, options)

    def send_calls(
        self, task: Task[..., Any], calls: Iterable[Sequence[Any]]
    ) -> "list[result.AsyncResult[Any]]":
        """Send many calls of one task: see `Task.delay_many`."""
        return self._sender.send_calls(task, calls)

    def send_canvas(self, canvas: Signature, result: Any, place: Place = ALONE) -> None:
        """Store a frozen canvas, all or nothing; `result` is what `freeze` returned.

        `place`: what it waits for, or the group that it joins.
        """
        layout.send(self, [canvas], [result], place)

    def override_for(self, name: str) -> Callable[..., Any] | None:
        """Return the `apply_async` or `send_task` of a user's class that is to send the task
        `name`; None where liteq's own do."""
        return self._sender.override_for(name)

    def signature(self, task: Any, *args: Any, **kwargs: Any) -> Signature:
        """Return a signature of `task`: a task or its name, with arguments for a later call."""
        return signature(task, *args, app=self, **kwargs)

    def AsyncResult(self, id: str, **kwargs: Any) -> "result.AsyncResult[Any]":  # noqa: N802
        """Return the result of the call with this id, whichever process has sent it."""
        return result.AsyncResult(id, app=self, **kwargs)

    def report(self, id: str, state: str, meta: Any) -> None:
        """Store the state and meta data that the unfinished task `id` reports."""
        serializer = result_serializer(self.conf, self.broker)
        self.broker.report(id, state, serializer.dumps(meta), serializer.name)

    # schedules

    def add_periodic_task(
        self,
        schedule: "float | timedelta | BaseSchedule",
        sig: Signature | Task[..., Any],
        *arguments: Any,
        **options: "Unpack[PeriodicOptions]",
    ) -> str:
        """Run `sig`, a signature or a task, by `schedule`; return the name of the entry.

        `schedule`: seconds, a timedelta or a schedule. `args`, `kwargs` and `name` may follow; the
        default name is the call's repr. `misfire`, `grace`, `overlap`, `jitter`, `relative` and
        `timezone` are as in `beat_schedule`; other keywords are options of `apply_async`.
        """
        from ..beat.periodic import periodic_call

        name, fields = periodic_call(schedule, sig, *arguments, **options)
        self.periodic_tasks[name] = fields
        return name

    # the store

    @property
    def broker(self) -> Broker:
        """Return the broker. The store is opened when it is used for the first time."""
        return self._broker or self._connect()

    @property
    def producer(self) -> Producer:
        """Return the producer, which makes messages and sends them."""
        if self._producer is None:
            self._producer = Producer(self.conf, self.broker)
        return self._producer

    @property
    def backend(self) -> Backend:
        """Return the backend, which reads results."""
        if self._backend is None:
            self._backend = backend_of(self.conf, self.broker)
        return self._backend

    def _connect(self) -> Broker:
        only_definitions()
        with self._lock:
            if self._broker is None:
                self._broker = broker_of(self.conf, self.main, self.module)
                fix_store(self.conf, self._broker)
        return self._broker

    def close(self) -> None:
        """Close the store. Using the app again opens it again."""
        if self._broker is not None:
            self._broker.close()
        unregister_app(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # the worker

    def Worker(self, **options: "Unpack[WorkerOptions]") -> "worker.Worker":  # noqa: N802 - Celery's
        """Return a worker of this app: `with app.Worker(concurrency=2): ...`.

        `liteq.worker.worker.Worker` explains the options.
        """
        from ..worker.worker import Worker

        return Worker(self, **options)

    def worker_main(self, argv: Sequence[str] | None = None) -> int:
        """Run the command line with `argv` (`["worker", "-l", "info"]`); return its exit code."""
        from ..cli import main

        reference = refer_to(self)
        arguments = sys.argv[1:] if argv is None else argv
        return main(["-A", f"{reference['module']}:{reference['name']}", *arguments])

    start = worker_main

    # the current app and task

    def set_current(self) -> None:
        """Make this the `current_app`."""
        set_current(self)

    def set_default(self) -> None:
        """Make this the `current_app` where none is set."""
        set_default(self)

    @property
    def current_task(self) -> Task[..., Any] | None:
        """Return the task that is running here; None when there is none."""
        task: Task[..., Any] | None = get_current_task()
        return task

    # time

    @property
    def timezone(self) -> tzinfo:
        """Return the time zone of wall-clock times."""
        return zone_of(self.conf.timezone, self.conf.enable_utc)

    def now(self) -> datetime:
        """Return the time by the broker's clock, in the app's time zone."""
        return datetime.fromtimestamp(self.broker.clock(), self.timezone)

    def __repr__(self) -> str:
        return f"<LiteQ {self.main or '__main__'}>"


Celery = LiteQ
