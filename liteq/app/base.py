"""The application: settings, tasks and a store, put together."""

import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from functools import partial
from importlib import import_module
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeVar, overload

from .. import brokers, result
from ..brokers.base import Broker
from ..canvas import Signature, signature
from ..canvas import layout as workflow
from ..canvas.builtins import add_to
from ..config import Config
from ..config.deferred import DeferredConfig
from ..exceptions import ImproperlyConfigured
from ..model.graph import ALONE, Place
from ..model.message import Message
from ..result.app import (
    get_current_task,
    register_app,
    set_current,
    set_default,
    unregister_app,
)
from ..result.backend import Backend, accepted, result_serializer
from ..sending.eta import zone_of
from ..sending.options import Named, check_arguments, check_name, is_linked
from ..sending.producer import Call, Producer
from ..signals import Signal, import_modules
from ..task import Task
from .control import Control
from .dead_letters import DeadLetters
from .discovery import find_related
from .mainscript import NAME as SCRIPT
from .mainscript import only_definitions
from .registry import Registry, adopt, annotate, task_of
from .result_backend import check_result_backend

P = ParamSpec("P")
R = TypeVar("R")

# Above us, so they are named and not imported.
_WORKER = "liteq.worker.worker:Worker"
_REFERENCE = "liteq.app.reference:refer_to"
_COMMAND = "liteq.cli:main"
_CALL = "liteq.beat.periodic:periodic_call"
_TIMETABLE = "liteq.beat.timetable:Timetable"


class LiteQ:
    """A task queue: `app = LiteQ("project")`.

    `main`: its name; it stands for `__main__` in the names of tasks, and the store is found by
    it when no `broker` is given. `broker`: URL of the store, or a Broker. `result_backend`
    (Celery's `backend`): None or the same URL, since results are kept with the tasks. `include`:
    modules that a worker imports. `set_as_current`: make it the current app. `task_cls`: base
    class of its tasks, or "module:Class". `config_source`, `namespace`: see
    `config_from_object`. Other keywords are settings.

    Raises ImproperlyConfigured for settings that cannot be.
    """

    def __init__(
        self,
        main: str | None = None,
        *,
        broker: str | Broker | None = None,
        result_backend: str | None = None,
        backend: str | None = None,
        include: Iterable[str] = (),
        set_as_current: bool = True,
        task_cls: type[Task[..., Any]] | str = Task,
        config_source: Any = None,
        namespace: str | None = None,
        **settings: Any,
    ) -> None:
        self.main = main
        base = _named(task_cls) if isinstance(task_cls, str) else task_cls
        self.Task: type[Task[..., Any]] = type("Task", (base,), {"app": self})
        self.on_after_finalize = Signal("app.on_after_finalize")
        self._deferred = DeferredConfig(self)
        self.on_configure = self._deferred.on_configure
        self.on_after_configure = self._deferred.on_after_configure
        self._lock = threading.RLock()
        self._registry = Registry()
        self._packages: list[tuple[Any, str | None]] = []  # where a worker looks for tasks
        self._finalized = False
        self.periodic_tasks: dict[str, dict[str, Any]] = {}  # those of `add_periodic_task`
        self._broker = broker if isinstance(broker, Broker) else None
        self._backend: Backend | None = None
        self._producer: Producer | None = None
        conf = self._deferred.values
        conf.update(settings)
        if isinstance(broker, str):
            conf.broker_url = broker
        if result_backend or backend:
            conf.result_backend = result_backend or backend
        if include:
            conf["include"] = include
        if broker is not None:
            check_result_backend(conf, self._broker)
        if config_source is not None:
            self.config_from_object(config_source, namespace=namespace)
        if set_as_current:
            self.set_current()
        register_app(self)

    # settings

    @property
    def conf(self) -> Config:
        """The settings, by attribute and by item."""
        return self._deferred.values if self._deferred.ready else self._deferred.load()

    def config_from_object(
        self, source: Any, silent: bool = False, force: bool = False, namespace: str | None = None
    ) -> None:
        """Take settings from `source`: a module, class, object or mapping, or its dotted name.

        `namespace="CELERY"`: only names that begin with `CELERY_`. It is read when settings are
        asked for the first time, with `force` now. `silent`: a module that is not there is no
        error.
        """
        self._deferred.add(source, namespace, silent=silent, force=force)

    def config_from_envvar(
        self, variable_name: str, silent: bool = False, force: bool = False
    ) -> None:
        """Take settings from the module that the environment variable names.

        Raises ImproperlyConfigured when it is not set, unless `silent`.
        """
        name = os.environ.get(variable_name)
        if name:
            self.config_from_object(name, silent=silent, force=force)
        elif not silent:
            raise ImproperlyConfigured(
                f"the environment variable {variable_name} is not set: it should name the module "
                f"with the settings of {self!r}"
            )

    # tasks

    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, R]: ...
    @overload
    def task(
        self, /, *, bind: Literal[True], **options: Any
    ) -> Callable[[Callable[Concatenate[Any, P], R]], Task[P, R]]: ...
    @overload
    def task(
        self, /, *, bind: Literal[False] = False, **options: Any
    ) -> Callable[[Callable[P, R]], Task[P, R]]: ...
    def task(self, function: Any = None, /, **options: Any) -> Any:
        """Make a function a task: `@app.task`, or `@app.task(queue="mail", max_retries=5)`.

        `name`: instead of `module.function`. `bind`: call it with the task itself first. `base`:
        its class. All other options are attributes of `Task`; an unknown one raises
        ImproperlyConfigured. A name that is taken answers the task that has it.
        """
        if function is None:
            return lambda function: self._task(function, **options)
        return self._task(function, **options)

    def _task(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        base: type[Task[..., Any]] | None = None,
        **options: Any,
    ) -> Task[..., Any]:
        name = name or self.gen_task_name(function.__name__, function.__module__)
        if name not in self._registry:
            self.register_task(task_of(function, name, base or self.Task, **options))
        return self._registry[name]

    def register_task(self, task: Task[P, R] | type[Task[P, R]]) -> Task[P, R]:
        """Make `task`, an instance or a class, a task of this app; answer the instance."""
        instance = task() if isinstance(task, type) else task
        kind = type(instance)
        instance.name = instance.name or self.gen_task_name(kind.__name__, kind.__module__)
        check_name("task name", instance.name)
        instance.app = self
        instance.bind(self)
        self._registry[instance.name] = instance
        if self._finalized:
            self._complete(instance)
        return instance

    def gen_task_name(self, name: str, module: str) -> str:
        """The name of a task that has none; override it to name them otherwise."""
        in_script = module in ("__main__", SCRIPT)
        return f"{(self.main or '__main__') if in_script else module}.{name}"

    @property
    def tasks(self) -> Registry:
        """The tasks by name."""
        self.finalize()
        return self._registry

    def finalize(self) -> None:
        """Say that the tasks are complete: `task_annotations` are applied to them. Happens by
        itself when the tasks are asked for."""
        with self._lock:
            if self._finalized:
                return
            add_to(self)
            self._finalized = True
            for task in list(self._registry.values()):
                self._complete(task)
        self._deferred.announce(complete=True)
        self.on_after_finalize.send(sender=self)

    def _complete(self, task: Task[..., Any]) -> None:
        """Give `task` what the settings say of it."""
        adopt(task, self.conf.task_retry_policy)
        annotate(task, self.conf.task_annotations)

    def autodiscover_tasks(
        self,
        packages: Iterable[str] | Callable[[], Iterable[str]] | None = None,
        related_name: str | None = "tasks",
        force: bool = False,
    ) -> None:
        """Have a worker import the module `related_name` of each package that has one.

        `packages` may be a function that answers them. `force`: import now.
        """
        self._packages.append((packages, related_name))
        if force:
            self._discover()

    def load_tasks(self) -> None:
        """Import all modules with tasks, as a worker does: `imports`, `include`, discovered ones.

        Raises ImproperlyConfigured for one that cannot be imported.
        """
        for name in dict.fromkeys((*self.conf.imports, *self.conf.include)):
            try:
                import_module(name)
            except ImportError as exc:
                raise ImproperlyConfigured(
                    f"{name!r} of `include` or `imports` cannot be imported: {exc}"
                ) from exc
        self._discover()
        import_modules.send(sender=self)
        self.finalize()
        self._deferred.announce(complete=True)  # to handlers in modules that came later

    def _discover(self) -> None:
        while self._packages:
            packages, related_name = self._packages.pop(0)
            names = packages() if callable(packages) else packages or ()
            for package in (names,) if isinstance(names, str) else names:
                find_related(package, related_name)

    # sending

    def send_task(
        self,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> "result.AsyncResult[Any]":
        """Send a task by its name; its code need not be here. Takes options of `apply_async`."""
        args, kwargs = check_arguments(args, kwargs)
        task = self._registry.get(name)
        if task is not None and self.conf.task_always_eager:
            return task.apply(args, kwargs, **options)
        if is_linked(options):
            call = Signature(name, args, kwargs, options)
            return self.enqueue_many([call])[0]
        return self._sent(self.producer.send(task or Named(name), args, kwargs, options))

    def enqueue_many(
        self, signatures: Iterable[Signature], **options: Any
    ) -> "list[result.AsyncResult[Any]]":
        """Send many calls in one transaction: all or none.

        `app.enqueue_many(add.s(n, n) for n in range(1000))`. `options` are for all of them.
        Answers the results in order. Raises what `apply_async` raises.
        """
        if self.conf.task_always_eager:
            return [each.apply_async(**options) for each in signatures]
        calls = list(signatures)
        if any(map(workflow.is_several, calls)):
            return workflow.send_copies(self, calls, options)
        messages = self.producer.messages(self._checked(each, options) for each in calls)
        if messages:
            self.producer.publish(messages, options)
        return [self._sent(message) for message in messages]

    def send_canvas(self, canvas: Signature, result: Any, place: Place = ALONE) -> None:
        """Store a frozen canvas, all or nothing; `result` is what `freeze` answered.

        `place`: what it waits for, or the group that it joins.
        """
        workflow.send(self, [canvas], [result], place)

    def signature(self, task: Any, *args: Any, **kwargs: Any) -> Signature:
        """A call of `task`, or of the task of that name, that is made later."""
        return signature(task, *args, app=self, **kwargs)

    def AsyncResult(self, id: str, **kwargs: Any) -> "result.AsyncResult[Any]":  # noqa: N802
        """The result of the call with this id, from wherever it was sent."""
        return result.AsyncResult(id, app=self, **kwargs)

    def report(self, id: str, state: str, meta: Any) -> None:
        """Note what the unfinished task `id` tells of itself."""
        serializer = result_serializer(self.conf, self.broker)
        self.broker.report(id, state, serializer.dumps(meta), serializer.name)

    def _checked(self, call: Signature, options: Mapping[str, Any]) -> Call:
        name, args, kwargs, own = call["task"], call["args"], call["kwargs"], call["options"]
        task = self._registry.get(name)
        if task is not None:
            task.check(args, kwargs)
        return task or Named(name), args, kwargs, {**own, **options} if options else own

    def _sent(self, message: Message) -> "result.AsyncResult[Any]":
        return result.AsyncResult(message.id, app=self, ignored=message.ignore_result)

    # schedules

    def add_periodic_task(self, schedule: Any, sig: Any, *args: Any, **options: Any) -> str:
        """Have `sig`, a signature or a task, run by `schedule`; answer the entry's name.

        `schedule`: seconds, a timedelta or a schedule. Then come `args`, `kwargs` and `name`, the
        call in words unless given. `misfire`, `grace`, `overlap`, `jitter`, `relative` and
        `timezone` are as in `beat_schedule`; all else is an option of `apply_async`.
        """
        name, fields = _named(_CALL)(schedule, sig, *args, **options)
        self.periodic_tasks[name] = fields
        return str(name)

    @property
    def schedules(self) -> Any:
        """The periodic tasks in the store: a `Timetable`."""
        return _named(_TIMETABLE)(self)

    # tasks that were sent

    @property
    def control(self) -> Control:
        """Revokes and purges tasks."""
        return Control(self)

    @property
    def dead_letters(self) -> DeadLetters:
        """The tasks that were set aside as dead."""
        return DeadLetters(self)

    # the store

    @property
    def broker(self) -> Broker:
        """The store. It is opened when it is used for the first time."""
        return self._broker or self._connect()

    @property
    def producer(self) -> Producer:
        """Makes messages and sends them."""
        if self._producer is None:
            self._producer = Producer(self.conf, self.broker)
        return self._producer

    @property
    def backend(self) -> Backend:
        """Reads results."""
        if self._backend is None:
            conf = self.conf
            names = conf.result_accept_content or conf.accept_content
            self._backend = Backend(self.broker, accepted(names, conf, self.broker))
        return self._backend

    def _connect(self) -> Broker:
        only_definitions()
        with self._lock:
            if self._broker is None:
                conf = self.conf
                check_result_backend(conf, None)
                key = conf.secret_key
                self._broker = brokers.connect(conf.broker_url, name=self.main, secret_key=key)
        return self._broker

    def close(self) -> None:
        """Let go of the store. Using the app again opens it again."""
        if self._broker is not None:
            self._broker.close()
        unregister_app(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # the worker

    @property
    def Worker(self) -> Any:  # noqa: N802 - Celery's name
        """The worker of this app: `with app.Worker(concurrency=2): ...`."""
        return partial(_named(_WORKER), self)

    def worker_main(self, argv: Sequence[str] | None = None) -> int:
        """Run the command line with `argv` (`["worker", "-l", "info"]`); answer its exit code."""
        where = _named(_REFERENCE)(self)
        words = sys.argv[1:] if argv is None else argv
        code: int = _named(_COMMAND)(["-A", f"{where['module']}:{where['name']}", *words])
        return code

    # the current one

    def set_current(self) -> None:
        """Make this the app that `current_app` is."""
        set_current(self)

    def set_default(self) -> None:
        """Make this the app that `current_app` is where no other is."""
        set_default(self)

    @property
    def current_task(self) -> Any:
        """The task that runs now; None when there is none."""
        return get_current_task()

    # time

    @property
    def timezone(self) -> tzinfo:
        """The time zone that wall-clock times are in."""
        return zone_of(self.conf.timezone, self.conf.enable_utc)

    def now(self) -> datetime:
        """The time, in the app's time zone."""
        return datetime.fromtimestamp(self.broker.clock(), self.timezone)

    def __repr__(self) -> str:
        return f"<LiteQ {self.main or '__main__'}>"


def _named(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)
