"""Commands for workers: `app.control.broadcast` has them run. `control_command` defines more."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar, overload

from ..app.absent import Incomplete
from ..sending.options import check_name

F = TypeVar("F", bound=Callable[..., Any])

CONTROL, INSPECT = "control", "inspect"
_NO_CONSUMER = "a worker has no consumer of messages: state.worker and state.app are what there is"


class State(Incomplete):
    """What a command gets first: the application, and the worker that runs the command.

    A command of a program runs in a thread of the worker's process, one at a time.
    """

    absent: ClassVar[Mapping[str, str]] = dict.fromkeys(("consumer", "tset"), _NO_CONSUMER)

    def __init__(self, app: Any, worker: Any) -> None:
        self.app = app
        self.worker = worker  # a liteq.worker.worker.Worker
        self.hostname: str = worker.hostname


class Command(NamedTuple):
    """A command, and what `liteq control --help` and `liteq inspect --help` say of it."""

    name: str
    run: Callable[..., Any]  # called with a State, and the arguments by name
    kind: str = CONTROL  # or INSPECT: it only looks
    args: Sequence[tuple[str, Callable[[str], Any]]] = ()  # names and types, for a command line
    variadic: str | None = None  # the name of a list, which takes the rest of the line
    signature: str = ""
    help: str = ""
    timeout: float = 1.0  # seconds that a command line waits for answers


class Panel:
    """The commands that programs have defined, by name."""

    data: ClassVar[dict[str, Command]] = {}

    @classmethod
    def register(cls, function: F | None = None, **options: Any) -> Any:
        """Define a command, as `control_command` does."""
        return control_command(function, **options)


@overload
def control_command(function: F, /) -> F: ...
@overload
def control_command(function: None = None, /, **options: Any) -> Callable[[F], F]: ...
def control_command(function: F | None = None, /, **options: Any) -> Any:
    """Define a command that changes something: `@control_command`, with or without options.

    The function is called with a `State` and the arguments of the order by name; what it returns,
    as JSON, is the answer. Options: `name`, else that of the function, and `alias`; `args` and
    `variadic`, for `liteq control`: a list of names with their types, and the name of a list;
    `signature` and `help`, texts; `default_timeout` in seconds. Others do nothing.
    """
    if function is not None:
        return _defined(function, CONTROL, {})
    return lambda found: _defined(found, options.pop("type", CONTROL), options)


@overload
def inspect_command(function: F, /) -> F: ...
@overload
def inspect_command(function: None = None, /, **options: Any) -> Callable[[F], F]: ...
def inspect_command(function: F | None = None, /, **options: Any) -> Any:
    """Define a command that only looks, for `liteq inspect`. Options as of `control_command`."""
    if function is not None:
        return _defined(function, INSPECT, {})
    return lambda found: _defined(found, INSPECT, options)


def ok(value: Any) -> dict[str, Any]:
    """Return the answer of a command that did what it was told."""
    return {"ok": value}


def nok(value: Any) -> dict[str, Any]:
    """Return the answer of a command that could not do it, and why."""
    return {"error": value}


def _defined(function: F, kind: str, options: Mapping[str, Any]) -> F:
    text = options.get("help") or (function.__doc__ or "").strip().partition("\n")[0]
    name = check_name("command", options.get("name") or function.__name__)
    command = Command(
        name,
        function,
        kind,
        tuple(options.get("args") or ()),
        options.get("variadic"),
        options.get("signature") or "",
        text,
        options.get("default_timeout") or 1.0,
    )
    Panel.data[name] = command
    if alias := options.get("alias"):
        Panel.data[check_name("command", alias)] = command
    return function
