"""The application as the code below it sees it, and which application is the current one.

Results and signatures that were made without an application belong to the current one. It is also
there for programs that do not pass their application around.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from threading import RLock
from typing import Any, Protocol, Unpack, cast
from weakref import WeakSet

from ..brokers.base import Broker
from ..config import Config
from ..execution import context
from ..model.graph import ALONE, Place
from ..sending.call_options import SendOptions
from ..sending.producer import Producer
from .backend import Backend


class App(Protocol):
    """An application, as far as results, canvases, tasks and schedules use it.

    `liteq.LiteQ` is the one that there is. It stands above this package, so what is made of types
    that stand above it too, such as `Task`, is `Any` here.
    """

    @property
    def main(self) -> str | None: ...
    @property
    def module(self) -> str: ...  # in which it was made; children look for it there first
    @property
    def conf(self) -> Config: ...
    @property
    def tasks(self) -> Mapping[str, Any]: ...

    periodic_tasks: dict[str, dict[str, Any]]  # the fields of entries by their names

    @property
    def broker(self) -> Broker: ...
    @property
    def producer(self) -> Producer: ...
    @property
    def backend(self) -> Backend: ...

    @property
    def control(self) -> Any: ...
    def bugreport(self) -> str: ...
    @property
    def dead_letters(self) -> Any: ...
    @property
    def schedules(self) -> Any: ...
    @property
    def limits(self) -> Any: ...

    @property
    def outboxes(self) -> list[Any]: ...  # see transactions/outbox.py

    @property
    def timezone(self) -> tzinfo: ...
    def now(self) -> datetime: ...

    def add_function(self, function: Callable[..., Any], /, **options: Any) -> Any: ...
    @property
    def has_own_send_task(self) -> bool: ...  # that a subclass has put in the place of ours
    def register_task(self, task: Any) -> Any: ...
    def gen_task_name(self, name: str, module: str) -> str: ...
    def load_tasks(self) -> None: ...

    def send_task(
        self,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[SendOptions],
    ) -> Any: ...
    def enqueue_many(self, signatures: Iterable[Any], **options: Unpack[SendOptions]) -> Any: ...
    def send_calls(self, task: Any, calls: Iterable[Sequence[Any]]) -> Any: ...
    def send_canvas(self, canvas: Any, result: Any, place: Place = ALONE) -> None: ...
    def override_for(self, name: str) -> Callable[..., Any] | None: ...
    def report(self, id: str, state: str, meta: Any) -> None: ...
    def emit(self, key: str, value: Any = None) -> bool: ...

    def signature(self, task: Any, *args: Any, **kwargs: Any) -> Any: ...
    def AsyncResult(self, id: str, **kwargs: Any) -> Any: ...  # noqa: N802 - Celery's


class TaskOfApp(context.RunnableTask, Protocol):
    """A task that can be run, with its application."""

    @property
    def app(self) -> App: ...


Register = Callable[[App], object]
"""Makes a shared task in an application."""

_app: App | None = None  # the newest application, or the one that was made current
_default: App | None = None  # the current one where no other is
_before_any: App | None = None  # the default one, which is there when no other is
_make_default: Callable[[], App] | None = None
_making = RLock()
_apps: "WeakSet[App]" = WeakSet()
_shared: list[Register] = []


def register_app(app: App) -> None:
    """Register a new application: it gets all shared tasks, present and future."""
    _apps.add(app)
    for register in _shared:
        register(app)


def share_task(register: Register) -> None:
    """Call `register` with each application, present and future."""
    _shared.append(register)
    for app in list(_apps):
        register(app)


def set_current(app: App) -> None:
    """Make `app` the current one, in all threads."""
    global _app
    _app = app


def set_default(app: App) -> None:
    """Make `app` the current one where no other is."""
    global _default
    _default = app


def unregister_app(app: App) -> None:
    """Make sure that `app`, which was closed, is no longer the current one."""
    global _app, _default
    _app = None if _app is app else _app
    _default = None if _default is app else _default


def made_current() -> App | None:
    """Return the application that was made the current one last; None when there is none."""
    return _app


def get_current_app() -> App:
    """Return the application of the running task, else the current one, else a default one."""
    return made_app() or _default_app()


def made_app() -> App | None:
    """Return the same, but None where only the default one is left."""
    running = cast("TaskOfApp | None", context.current.get().running)
    return running.app if running is not None else _app or _default


def default_app() -> App | None:
    """Return the default application, if it was needed already."""
    return _before_any


def use_default(make: Callable[[], App]) -> None:
    """Make the default application with `make`, when it is needed."""
    global _make_default
    _make_default = make


def _default_app() -> App:
    global _before_any
    with _making:
        if _before_any is None:
            assert _make_default is not None, "liteq.app sets it"
            _before_any = _make_default()
    return _before_any


def get_current_task() -> Any:
    """Return the task that runs now (a `Task`), or None."""
    return context.current.get().running
