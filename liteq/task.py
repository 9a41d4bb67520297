"""Tasks: a function, its options, and the ways to call it."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar, Unpack, cast

from . import exceptions
from .canvas import Signature, chunks, layout, xmap, xstarmap
from .canvas.apply import Links, run_eagerly
from .canvas.signature import as_link
from .canvas.steps import DurableSteps
from .canvas.tasks import InWorkflows
from .canvas.values import as_list
from .exceptions import Retry, TaskPredicate
from .execution.attempt import is_retried
from .execution.context import NO_TASK, Context, current, current_run, enter, leave, leave_pushed
from .execution.failure import bounded_repr
from .result import AsyncResult, EagerResult
from .result.app import App, get_current_app
from .result.asynccalls import AsyncCalls
from .result.backend import Backend
from .sending.call_options import CallOptions, RetryOptions, SendOptions, SignatureOptions
from .sending.eta import due_at
from .sending.options import (
    Options,
    check_arguments,
    check_name,
    check_options,
    is_linked,
)
from .sending.overrides import collected, expected_call, is_expected
from .support.backoff import Backoff, full_jitter, no_jitter
from .support.coroutines import COROUTINE
from .support.parameters import Parameters
from .transactions.joining import joining
from .transactions.tasks import InTransactions

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

HOOKS = ("before_start", "on_success", "on_failure", "on_retry", "after_return")

_NO_TASK_TO_UPDATE = (
    "{}.update_state: no task runs here, so nobody knows of which one this is the state: call it "
    "in a task, or pass task_id="
)


class Task(AsyncCalls[P, R], DurableSteps, InWorkflows, InTransactions, Generic[P, R]):
    """A unit of work that workers run. There is one instance for each app.

    `@app.task` makes one of a function. Or subclass it, define `run`, and pass the class to
    `app.register_task`. Options are class attributes.
    """

    app: App = None  # type: ignore[assignment] # until it is registered
    __name__: str  # of the function
    __bound__ = False  # made with `bind=True`: the function takes the task first
    hooks: frozenset[str] = frozenset()  # those that are overridden: only these are called
    run_target: Callable[..., Any]  # what a run of it calls

    schedule: Any = None  # of a periodic task: a schedule, or the fields of an entry
    typing = True  # check the arguments when the task is sent
    throws: tuple[type[BaseException], ...] = ()  # expected errors: logged without traceback
    store_errors_even_if_ignored: bool | None = None
    resultrepr_maxsize = 1024  # characters of the result in the log

    max_retries: int | None = 3  # None: no limit
    default_retry_delay: float = 3 * 60  # seconds
    autoretry_for: Sequence[type[BaseException]] = ()
    dont_autoretry_for: Sequence[type[BaseException]] = ()
    retry_kwargs: Mapping[str, Any] = {}
    retry_backoff: bool | float = False  # the first delay, in seconds; True is 1
    retry_backoff_max: float = 600  # seconds
    retry_jitter = True

    MaxRetriesExceededError: ClassVar[type[exceptions.MaxRetriesExceededError]] = (
        exceptions.MaxRetriesExceededError
    )

    _parameters: Parameters

    def bind(self, app: App) -> None:
        """Make it a task of `app`. The app calls this when it registers it; extend it to prepare
        things."""
        self.app = app
        kind = type(self)
        self.hooks = frozenset(n for n in HOOKS if getattr(kind, n) is not getattr(Task, n))
        self.run_target = self.run if kind.__call__ is Task.__call__ else self
        self._parameters = Parameters(self.run, self.name.rpartition(".")[2])

    def check(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Raise TypeError when the task does not take these arguments, unless `typing=False`."""
        if self.typing:
            self._parameters.check(args, kwargs)

    def wants_request(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Return whether, as an errback with these arguments, it is called with the request, the
        exception and the traceback of the task that failed.

        That is so if it takes more than one argument besides its own. If not, and always when it
        is bound, it gets the id of the task that failed.
        """
        return not self.__bound__ and self._parameters.positions_left(args, kwargs) > 1

    # subclasses override these

    def run(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Do the work; return the value of the task."""
        raise NotImplementedError(f"{type(self).__name__} defines no run()")

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Run in the worker before the task; an exception here fails the task."""

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        """Run in the worker when the task succeeded, with its value."""

    def on_failure(
        self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any
    ) -> None:
        """Run in the worker when the task failed, with its exception."""

    def on_retry(
        self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any
    ) -> None:
        """Run in the worker when the task will be retried, with the reason."""

    def after_return(
        self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: Any
    ) -> None:
        """Run in the worker when the task succeeded or failed, with its value or exception."""

    # calling it

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call it in this process, as a plain function; return its value.

        An error in `autoretry_for` is passed to `retry`, which raises it: so a test can patch that.
        """
        request = current.get()
        from_worker = request.through_call and request.running is self
        if from_worker:  # not a call of its own: the worker called an overridden `__call__`
            request.through_call = False
            return self.run(*args, **kwargs)
        context = Context.of_direct_call(self, args, kwargs)
        token = enter(context)
        try:
            value: Any = self.run(*args, **kwargs)
        except Exception as exc:
            self._failed_directly(exc)
            raise
        finally:
            leave(token)
        if value.__class__ is COROUTINE:
            value = self._awaited(value, context)
        return value  # type: ignore[no-any-return]

    async def _awaited(self, work: Coroutine[Any, Any, T], context: Context) -> T:
        """Return what the coroutine of a direct call returns; it runs when it is awaited."""
        token = enter(context)
        try:
            return await work
        except Exception as exc:
            self._failed_directly(exc)
            raise
        finally:
            leave(token)

    def _failed_directly(self, exc: Exception) -> None:
        """Pass the error of a direct call to `retry`, if the options say so, which raises it."""
        if not isinstance(exc, TaskPredicate) and is_retried(self, exc):
            self.autoretry(exc)

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Send it with these arguments; return its result. See `apply_async`."""
        return self.apply_async(args, kwargs)

    def delay_many(self, calls: Iterable[Sequence[Any]]) -> list[AsyncResult[R]]:
        """Send it once with each of `calls`, in one transaction: all or none.

        `add.delay_many((n, n) for n in range(1000))`. Each of `calls` is a tuple or a list of
        arguments. Returns the results in the same order. `app.enqueue_many` sends calls that have
        keyword arguments or options, or are of several tasks. Raises what `apply_async` raises,
        with a note which says of which of `calls`.
        """
        results: list[AsyncResult[R]] = self.app.send_calls(self, calls)
        return results

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        task_id: str | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncResult[R]:
        """Send it with options of this call; return its result.

        `countdown`: seconds to wait. `eta`: a datetime before which it does not run; without a
        zone it is local time. `expires`: seconds or a datetime after which it is not started.
        `queue`, `priority` (higher first), `serializer`, `ignore_result`, `time_limit`,
        `soft_time_limit` (seconds): instead of the task's own. `task_id`: its id; a finished task
        of that id is replaced, any other is kept, and the result is a `duplicate`. `headers`: a
        dict, read as `self.request.headers`. `durable`: return only when the task would survive a
        power cut. `shadow`: another name for the log. `connection`: send it in the transaction
        that is open on this connection to a database, see `app.transaction`.

        Raises TypeError when the task does not take these arguments, InvalidTaskError when the
        call cannot be sent, BrokerError when the store fails.
        """
        given = cast("dict[str, Any]", options)  # which is what it is: no copy
        if task_id is not None:
            given["task_id"] = task_id
        app = self.app
        if options and (block := joining(app, given)):
            with block:
                return self.apply_async(args, kwargs, **options)
        if expected_call.get() is not None and is_expected(self.name):
            return self._pass_on(args, kwargs, given)
        args, kwargs = check_arguments(args, kwargs)
        self.check(args, kwargs)
        if app.conf.task_always_eager:
            result = self.apply(args, kwargs, **given)
            sender = current_run()
            if sender is not None and given.get("add_to_parent", True):
                sender.children.append(result)
            return result
        if app.has_own_send_task:
            return self._pass_on(args, kwargs, given)
        if given and is_linked(given):
            call = Signature(self, args, kwargs, given, app=app)
            linked: AsyncResult[R] = layout.send_linked(app, call)
            return linked
        if task_id:
            message, sent = app.producer.send_as(self, args, kwargs, given)
            return AsyncResult.of_call(message, app, sent=sent)
        message = app.producer.send(self, args, kwargs, given)
        return AsyncResult(message.id, app=app, ignored=message.ignore_result)

    def _pass_on(self, args: Any, kwargs: Any, options: dict[str, Any]) -> AsyncResult[R]:
        """Hand over a call that is not sent here; return its result.

        The application has a `send_task` of its own, which sends it. Or the call is one of a
        workflow, that `collect` waits for: see `sending/overrides.py`.
        """
        if not self.app.has_own_send_task:
            return AsyncResult(collected(args, kwargs, options), app=self.app)
        result: AsyncResult[R] = self.app.send_task(self.name, args, kwargs, **options)
        return result

    def apply(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        throw: bool | None = None,
        **options: Unpack[SendOptions],
    ) -> EagerResult[R]:
        """Run it in this process as a worker would, with hooks and retries; return its result.

        An exception is in the result, unless `throw` (or `task_eager_propagates`) is true. It
        takes the options of `apply_async`; those that say when to run it do nothing.
        """
        args, kwargs = check_arguments(args, kwargs)
        links = Links(
            _signatures(options.pop("link", None)),
            _signatures(options.pop("link_error", None)),
            options.pop("group_id", None),
            options.pop("group_index", None),
            options.pop("chord", None),
        )
        options.pop("connection", None)
        check_options(options)
        message = self.app.producer.envelope(self, b"", "", options)
        if throw is None:
            throw = self.app.conf.task_eager_propagates
        return run_eagerly(self, message, args, kwargs, throw, links)

    def signature(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[SignatureOptions],
    ) -> Signature:
        """Return a signature: a call of this task that is made later."""
        return Signature(self, args, kwargs, app=self.app, **options)

    subtask = signature

    def s(self, *args: Any, **kwargs: Any) -> Signature:
        """Return the signature of a call with these arguments; the call may add more."""
        return Signature(self, args, kwargs, app=self.app)

    def si(self, *args: Any, **kwargs: Any) -> Signature:
        """Return an immutable signature: it ignores further arguments."""
        return Signature(self, args, kwargs, immutable=True, app=self.app)

    def map(self, it: Iterable[Any]) -> Signature:
        """Return a task that calls this one with each item of `it`; its value is their list."""
        return xmap(self, it, app=self.app)

    def starmap(self, it: Iterable[Any]) -> Signature:
        """Return the same, with the items of each item as arguments."""
        return xstarmap(self, it, app=self.app)

    def chunks(self, it: Iterable[Any], n: int) -> chunks:
        """Return a group of `starmap` tasks, each for `n` items of `it`."""
        return chunks(self, it, n, app=self.app)

    def AsyncResult(self, task_id: str, **kwargs: Any) -> AsyncResult[R]:  # noqa: N802 - Celery's
        """Return the result of the call with this id."""
        return AsyncResult(task_id, app=self.app, **kwargs)

    # inside a run

    @property
    def request(self) -> Context:
        """Return the context of the current run."""
        return current.get()

    def push_request(self, **fields: Any) -> None:
        """Make `request` one with these attributes, until `pop_request`: for tests of its code.

        `task.push_request(id="x", called_directly=False, retries=2)`, then `task.run(...)`.
        """
        enter(Context.pushed(self, fields))

    def pop_request(self) -> None:
        """Undo the last `push_request`."""
        leave_pushed()

    @property
    def backend(self) -> Backend:
        """Return the backend, which reads results."""
        return self.app.backend

    def update_state(
        self, task_id: str | None = None, state: str | None = None, meta: Any = None
    ) -> None:
        """Report a state of the running task: any word as `state`, any value as `meta`.

        They are `result.state` and `result.info` until the task has finished, and stay so if it
        then raises Ignore. In a direct call or `apply` it does nothing. Raises InvalidTaskError
        for a state, or an id, that is no printable text, and RuntimeError where no task runs and
        no `task_id` is given: in a thread that a task has started, too.
        """
        request = self.request
        if request is NO_TASK and task_id is None:
            raise RuntimeError(_NO_TASK_TO_UPDATE.format(self.name))
        id, state = task_id or request.id, check_name("state", state or "PROGRESS")
        if id is None or request.is_eager:
            return
        id = check_name("task id", id)
        if request.report is not None and id == request.id:
            request.report(id, state, meta)
            request.reported = state, meta
        else:
            self.app.report(id, state, meta)

    def retry(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        exc: BaseException | None = None,
        throw: bool = True,
        eta: Any = None,
        countdown: float | None = None,
        max_retries: int | None = None,
        **options: Unpack[RetryOptions],
    ) -> Retry:
        """Run the task again later, with the same id: `raise self.retry(exc=exc)`.

        `args`, `kwargs`: instead of those it had. `exc`: the reason. `countdown`: seconds to
        wait, `default_retry_delay` unless given; `eta`: a datetime instead. `max_retries`:
        instead of the task's own. With `throw=False` the Retry is returned, and the task is
        retried after it has returned. Other options are those of `apply_async` (`queue`,
        `priority`, `expires`, `headers`, time limits, ...); those not given stay as they were.

        Raises Retry. When no retries are left, raises `exc`, or MaxRetriesExceededError if there
        is none. In a direct call it raises `exc`.
        """
        request = self.request
        if request.called_directly:
            raise Retry("Task can be retried") if exc is None else exc
        limit = self.max_retries if max_retries is None else max_retries
        if limit is not None and request.retries >= limit:
            request.exhausted = True
            raise self._exhausted(request) if exc is None else exc
        delay = self.default_retry_delay if countdown is None else countdown
        when = delay if eta is None else eta
        due_at(None if eta else delay, eta, 0.0)  # raises when it is not a time
        retry = Retry(exc=exc, when=when, sig=self._changed(request, args, kwargs, options))
        if throw:
            raise retry
        request.requested_retry = retry
        return retry

    def autoretry(self, exc: BaseException) -> None:
        """Raise Retry because of `exc`; raise `exc` itself when no retries are left."""
        wanted = dict(self.retry_kwargs)
        if self.retry_backoff:
            jitter = full_jitter if self.retry_jitter else no_jitter
            backoff = Backoff(max(1.0, self.retry_backoff), self.retry_backoff_max, jitter)
            wanted["countdown"] = backoff.delay(self.request.retries)
        raise self.retry(exc=exc, **wanted)

    def _changed(
        self, request: Context, args: Any, kwargs: Any, options: Options
    ) -> Signature | None:
        """Return what is different in the next attempt, as a signature; None for nothing."""
        check_options(options)
        if args is None and kwargs is None and not options:
            return None
        merged = self._parameters.merge(request.args, request.kwargs, args, kwargs)
        return Signature(self, *merged, options={**request.options, **options}, app=self.app)

    def _exhausted(self, request: Context) -> Exception:
        return self.MaxRetriesExceededError(
            f"Can't retry {self.name}[{request.id}] args:{bounded_repr(request.args)}"
            f" kwargs:{bounded_repr(request.kwargs)}",
            task_args=request.args,
            task_kwargs=request.kwargs,
        )

    # itself

    def __reduce__(self) -> Any:
        return _task_of_current_app, (self.name,)

    def __repr__(self) -> str:
        return f"<@task: {self.name} of {self.app!r}>"


def _signatures(links: Any) -> list[Any]:
    """Return the signatures in the option `link` or `link_error`: one, or a list of them."""
    return [as_link(each) for each in as_list(links)]


def _task_of_current_app(name: str) -> Any:
    # A pickled task belongs to the application of the process that unpickles it. Pickles name this
    # function, so its name stays.
    return get_current_app().tasks[name]
