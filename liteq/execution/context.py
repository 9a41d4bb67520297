"""The context of a run of a task: `self.request`.

A `Context` is made for every run, so it keeps what it is given and derives the rest when asked.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from ..exceptions import StepError
from ..model.message import Delivery, Message
from ..model.options import options_of_member, parse_options
from .steps import LocalSteps, Steps, StepStore, StoredSteps

P = ParamSpec("P")
R = TypeVar("R")

ReportState = Callable[[str, str, Any], None]
"""Takes the state that a running task reports of itself: its id, the state, and the meta."""


class Finished(BaseException):
    """The end of a run whose work an earlier run has done; `value` is the task's value.

    It is no Exception, so that the `except Exception` of a task lets it through.
    """

    def __init__(self, value: Any) -> None:
        self.value: Any = value
        super().__init__(value)


class Settle(Protocol):
    """What writes the end of a running task in the transaction that is open on a connection."""

    def holds(self, context: "Context") -> bool:
        """Return whether this worker still has the task."""

    def succeed(self, context: "Context", value: Any) -> None:
        """Write that the task has succeeded with `value`, and what follows. Raises ClaimLost."""


class KeepsOutput(Protocol):
    """What keeps that which a run prints and logs."""

    def write(self, stream: int, text: str) -> None:
        """Keep what is printed to a stream, of this number."""

    def log(self, level: str, text: str) -> None:
        """Keep what is logged."""


class RunnableTask(Protocol):
    """The part of `liteq.Task` that the code which runs a task needs."""

    name: str
    hooks: frozenset[str]
    autoretry_for: Sequence[type[BaseException]]
    dont_autoretry_for: Sequence[type[BaseException]]

    @property
    def app(self) -> object: ...  # unused here; `result.app.TaskOfApp` says more
    @property
    def run_target(self) -> Any: ...  # what a run calls
    def before_start(self, task_id: Any, args: Any, kwargs: Any) -> None: ...
    def autoretry(self, exc: BaseException) -> None: ...


class Context:
    """The facts about one run of a task. Outside a task, every attribute has its default."""

    # Every run sets these.
    id: str | None = None
    args: Any = None  # a tuple or a list
    kwargs: Any = None
    hostname: str | None = None
    called_directly: bool = True  # as a plain function, by `task(...)`
    is_eager = False  # run by `apply`, in the process that called it
    in_worker = False
    pid: int | None = None  # of the process that runs it, in a worker
    running: RunnableTask | None = None
    report: ReportState | None = None
    delivery: Delivery | None = None
    outer: "Context | None" = None  # of a direct call: the context that it was made in
    soft_limit: float | None = None  # seconds until SoftTimeLimitExceeded
    step_store: StepStore | None = None  # None: steps are remembered in `kept_steps`

    output: KeepsOutput | None = None  # None: what it prints is not kept
    settle: Settle | None = None  # None: what becomes of it is stored nowhere

    # A run may set these.
    completed: tuple[Any] | None = None  # the value of the task, whatever it returns
    settled: bool = False  # its success is in the store already
    uncommitted: str | None = None  # where `completed` was to come from, by a commit of others
    requested_retry: Any = None  # by `retry(throw=False)`
    reported: tuple[str, Any] | None = None  # the state and the meta that it reported last
    exhausted = False  # it called `retry` when no retries were left
    through_call = False  # it was entered by an overridden `__call__`, and is not in `run` yet

    kept_steps: dict[str, Any] | None = None  # of earlier attempts
    used_steps: Steps | None = None  # None: it has come to no step so far

    # Workflows set these.
    chain: Any = None
    callbacks: Any = None
    errbacks: Any = None

    # Celery has these; they mean nothing here.
    utc = True
    origin: str | None = None
    properties: Any = None
    loglevel: int | None = None
    logfile: str | None = None

    def __init__(
        self,
        delivery: Delivery | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        hostname: str | None = None,
    ) -> None:
        if delivery is not None:
            self.delivery = delivery
            self.id = delivery.id
            self.args = args
            self.kwargs = kwargs
            self.hostname = hostname
            self.called_directly = False

    @classmethod
    def of_direct_call(
        cls, task: RunnableTask, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> "Context":
        """Return the context of `task(*args, **kwargs)`, a call as a plain function."""
        context = cls()
        context.running = task
        context.args = args
        context.kwargs = kwargs
        context.outer = current.get()
        return context

    @classmethod
    def pushed(cls, task: RunnableTask, fields: Mapping[str, Any]) -> "Context":
        """Return a context with these attributes, in which a test calls the code of `task`."""
        context = cls()
        context.running = task
        context.outer = current.get()
        context.update(fields)
        return context

    def update(self, *args: Any, **fields: Any) -> None:
        """Set attributes, given as a dict is. Raises AttributeError for one that is derived."""
        for name, value in dict(*args, **fields).items():
            setattr(self, name, value)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the attribute `name`, or `default` when there is none."""
        return getattr(self, name, default)

    # from the message

    @property
    def message(self) -> Message | None:
        return self.delivery and self.delivery.message

    @cached_property
    def task(self) -> str | None:
        """Return the task's name."""
        return self.message and self.message.task

    @property
    def name(self) -> str | None:
        """Return the task's name, by the name that receivers of signals use."""
        return self.task

    @property
    def task_id(self) -> str | None:
        """Return the id, by the name that receivers of signals use."""
        return self.id

    @cached_property
    def retries(self) -> int:
        """Return the number of retries before this attempt."""
        return self.message.retries if self.message else 0

    @cached_property
    def eta(self) -> str | None:
        """Return the time before which it does not start: ISO 8601, in UTC."""
        return _iso(self.message and self.message.eta)

    @cached_property
    def expires(self) -> str | None:
        """Return the time after which it is not started: ISO 8601, in UTC."""
        return _iso(self.message and self.message.expires)

    @cached_property
    def ignore_result(self) -> bool:
        return self.message.ignore_result if self.message else False

    @cached_property
    def delivery_info(self) -> dict[str, Any] | None:
        """Return where the message came from, with Celery's keys."""
        if self.delivery is None:
            return None
        return {
            "exchange": "",
            "routing_key": self.delivery.queue,
            "priority": self.delivery.priority,
            "redelivered": self.delivery.lost > 0 or self.options.get("requeued") is True,
        }

    # from the message's options

    @cached_property
    def options(self) -> dict[str, Any]:
        """Return what is seldom set (see docs/internals/store.md).

        Parsed for this run alone, because a task may change the headers that it finds here.
        """
        if self.delivery is None:
            return {}
        options = parse_options(self.delivery.message)
        member = self.delivery.member
        return {**options_of_member(member), **options} if member else options

    @cached_property
    def headers(self) -> dict[str, Any] | None:
        """Return the `headers` that the sender gave."""
        return self.options.get("headers")

    @cached_property
    def root_id(self) -> str | None:
        """Return the id of the task that the workflow began with: its own unless a task sent it."""
        return self.options.get("root_id", self.id)

    @cached_property
    def parent_id(self) -> str | None:
        """Return the id of the task that it follows, or that sent it; None when there is none."""
        parent = self.delivery and self.delivery.parent
        if parent is None or self.options.get("gathered") is True:
            return self.options.get("parent_id")
        return parent

    @cached_property
    def group(self) -> str | None:
        """Return the id of the group that it is a member of."""
        return self.options.get("group_id")

    @cached_property
    def group_index(self) -> int | None:
        """Return its position among the members of its group, from 0."""
        return self.options.get("group_index")

    @cached_property
    def chord(self) -> Any:
        """Return the id of the chord body that waits for its group; in `apply` the body itself."""
        return self.options.get("chord")

    @cached_property
    def replaced_task_nesting(self) -> int:
        """Return how often it was replaced by another signature."""
        nesting: int = self.options.get("replaced_task_nesting", 0)
        return nesting

    @cached_property
    def stamped_headers(self) -> list[str] | None:
        """Return the names of its stamps."""
        return self.options.get("stamped_headers")

    @cached_property
    def stamps(self) -> dict[str, Any] | None:
        """Return its stamps: name to value."""
        return self.options.get("stamps")

    @cached_property
    def shadow(self) -> str | None:
        return self.options.get("shadow")

    @cached_property
    def reply_to(self) -> str | None:
        return self.options.get("reply_to")

    @cached_property
    def correlation_id(self) -> str | None:
        return self.options.get("correlation_id", self.id)

    @cached_property
    def argsrepr(self) -> str | None:
        return self.options.get("argsrepr")

    @cached_property
    def kwargsrepr(self) -> str | None:
        return self.options.get("kwargsrepr")

    @cached_property
    def time_limit(self) -> float | None:
        """Return the seconds after which its process is killed."""
        return self._limit("time_limit")

    @cached_property
    def soft_time_limit(self) -> float | None:
        """Return the seconds after which SoftTimeLimitExceeded is raised in it."""
        return self._limit("soft_time_limit")

    @cached_property
    def timelimit(self) -> tuple[float | None, float | None]:
        """Return the hard and the soft time limit, in seconds."""
        return self.time_limit, self.soft_time_limit

    @cached_property
    def children(self) -> list[Any]:
        """Return the results of the tasks that it sent, a list to append to."""
        return []

    @property
    def steps(self) -> Steps:
        """Return the durable steps of this run. Raises StepError where no task runs."""
        if self.running is None:
            raise StepError(
                "no task runs here, so this can be no step of one: call it on the `self` of a task "
                "with bind=True, in its code, and not in a thread that the task has started"
            )
        if self.used_steps is None:
            if self.step_store is not None and self.delivery is not None:
                self.used_steps = StoredSteps(self.delivery, self.step_store)
            else:
                kept = {} if self.kept_steps is None else self.kept_steps
                self.used_steps = LocalSteps(kept, self._find_event)
        return self.used_steps

    def _find_event(self, key: str) -> tuple[Any] | None:
        app: Any = self.running.app  # type: ignore[union-attr]  # see `steps`
        found: tuple[Any] | None = app.backend.event_value(key)
        return found

    def _limit(self, name: str) -> float | None:
        limit: float | None = self.options.get(name)
        return getattr(self.running, name, None) if limit is None else limit

    if not TYPE_CHECKING:

        def __getattr__(self, name):  # headers are attributes as well, as in Celery
            headers = None if name.startswith("__") else self.headers
            if headers and name in headers:
                return headers[name]
            raise AttributeError(f"the request of a task has no {name!r}", name=name, obj=self)

    def __repr__(self) -> str:
        return f"<Context: { {name: getattr(self, name) for name in _SHOWN} }>"


_SHOWN = (
    *("id", "task", "args", "kwargs", "retries", "eta", "expires", "ignore_result", "hostname"),
    *("delivery_info", "headers", "timelimit", "root_id", "parent_id", "group", "group_index"),
    *("chord", "chain", "callbacks", "errbacks", "correlation_id", "reply_to", "shadow"),
    *("stamped_headers", "stamps", "replaced_task_nesting", "called_directly", "is_eager"),
)


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


NO_TASK = Context()

current: ContextVar[Context] = ContextVar("liteq_context", default=NO_TASK)
"""The context of the task that runs now; outside a task `NO_TASK`."""


def enter(context: Context) -> Token[Context]:
    """Make `context` the current one, until `leave` gets the token that is returned."""
    return current.set(context)


def leave(token: Token[Context]) -> None:
    """Undo `enter`."""
    current.reset(token)


def outside_of_tasks(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return what `function` returns, while no task is the running one."""
    token = enter(NO_TASK)
    try:
        return function(*args, **kwargs)
    finally:
        leave(token)


def leave_pushed() -> None:
    """Go back to the context before the last `Context.pushed` that was entered here, if any."""
    context = current.get()
    if context.outer is not None:
        current.set(context.outer)


def current_output() -> KeepsOutput | None:
    """Return what keeps the output of the running task; None where none runs, or it is not kept."""
    context = current.get()
    while context.output is None:
        if context.outer is None:
            return None
        context = context.outer
    return context.output


def current_run() -> Context | None:
    """Return the context of the running task; None outside a task.

    A direct call inside a run, `task(...)`, does not count: the run itself is returned.
    """
    context: Context | None = current.get()
    while context is not None and context.called_directly:
        context = context.outer
    return context
