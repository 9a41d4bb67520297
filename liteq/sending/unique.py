"""Unique keys of calls: by names of parameters, by a function, or by all arguments."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from ..exceptions import InvalidTaskError
from ..model.keytemplate import Arguments, KeyTemplate, check_key, parse
from ..model.unique import (
    COALESCE,
    FINISHED,
    POLICIES,
    SKIP,
    STARTED,
    THROTTLE,
    UniqueKey,
    stored_key,
)
from .options import Options, TaskOptions

OPTIONS = ("unique", "debounce", "debounce_max", "throttle")
"""The options of a call that give it a key."""

_NAMES = frozenset(OPTIONS)
_LONGEST = 1e9  # seconds
_TIMES = ("countdown", "eta")
_TAKEN: Any = object()  # stands for an argument that the step before is to bring


class Unique:
    """A rule by which a store keeps one task of a key.

    `Unique("{account}")`: one for each value of the parameter `account`; `Unique(function)`: for
    each text that `function` returns for the arguments (None: no key); `Unique()`: for all of them.

    `until`: the key is free once its task has "finished", or "started", or so many seconds after it
    was sent. `then`: what becomes of a call whose key is taken. "skip": it is not sent, and its
    result is that of the task which has the key. "replace": the same, and that task gets its
    arguments, unless it has started. "coalesce": the same, but if that task has started, the call
    waits for its end, and then runs. "raise": DuplicateTask is raised.

    Raises InvalidTaskError for what is no such rule.
    """

    __slots__ = ("_arguments", "_key", "_template", "_then", "_until")

    def __init__(
        self,
        key: str | Callable[..., str | None] | None = None,
        *,
        until: str | float | timedelta = FINISHED,
        then: str = SKIP,
    ) -> None:
        self._key = key
        self._template: KeyTemplate | None = parse(key) if isinstance(key, str) else None
        self._arguments: tuple[Any, Arguments] | None = None  # of the last task
        if key is not None and not isinstance(key, str) and not callable(key):
            raise InvalidTaskError(
                f"the key of {self._shown(key)} is no text such as '{{account}}', and no function"
            )
        if isinstance(until, str) and until in (STARTED, FINISHED):
            self._until: str | float = str(until)
        else:
            self._until = _seconds(
                until, f"until of {self._shown(key)}", "'finished', 'started' or"
            )
        if then not in POLICIES:
            known = ", ".join(map(repr, POLICIES))
            raise InvalidTaskError(
                f"then of {self._shown(key)} is {then!r:.99}: give one of {known}"
            )
        if then == COALESCE and self._until != FINISHED:
            raise InvalidTaskError(
                f"{self._shown(key)}: with then='coalesce' a call waits for the end of the one "
                f"that runs, so it needs until='finished', not {self._until!r}"
            )
        self._then = str(then)

    @property
    def key(self) -> str | Callable[..., str | None] | None:
        """Return the template of the key, or the function that makes it; None: all arguments."""
        return self._key

    @property
    def until(self) -> str | float:
        """Return how long a task has its key: "finished", "started", or seconds."""
        return self._until

    @property
    def then(self) -> str:
        """Return what becomes of a call whose key is taken."""
        return self._then

    def check(self, task: TaskOptions) -> None:
        """Raise InvalidTaskError when the key names a parameter that `task` has not."""
        if self._template is not None and self._template.names:
            self._found(task, self._template)

    def key_of(
        self, task: TaskOptions, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> str | None:
        """Return the key of a call; None: it has none.

        Raises InvalidTaskError when the arguments do not make one, and what a function raises.
        """
        if self._template is not None:
            if not self._template.names:
                return self._template.key(())
            values = self._found(task, self._template).values(args, kwargs)
            if any(value is _TAKEN for value in values):
                raise _unknown_yet(task, f"its key {self._key!r}")
            return self._template.key(values)
        if args and args[0] is _TAKEN:
            raise _unknown_yet(task, f"the key of {self!r}")
        if callable(self._key):
            made = self._key(*args, **kwargs)
            return None if made is None else check_key(made, f"the key of {task.name}")
        from .allarguments import key_of_all  # it knows `decimal` and `uuid`: 5 ms

        return key_of_all(task, args, kwargs)

    def _found(self, task: TaskOptions, template: KeyTemplate) -> Arguments:
        """Return what finds the values of the parameters in a call."""
        if self._arguments is None or self._arguments[0] is not task:
            run: Any = getattr(task, "run", None)
            found = Arguments(_any if run is None else run, template.names, f"task {task.name}")
            self._arguments = task, found
        return self._arguments[1]

    @staticmethod
    def _shown(key: Any) -> str:
        return "Unique()" if key is None else f"Unique({key!r:.99})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unique) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def _parts(self) -> tuple[Any, ...]:
        return self._key, self._until, self._then

    def __reduce__(self) -> tuple[Any, ...]:
        return _unique_of, self._parts()

    def __json__(self) -> dict[str, Any]:
        if callable(self._key):
            raise TypeError(f"{self!r} has a function, which cannot be JSON")
        return {"key": self._key, "until": self._until, "then": self._then}

    def __repr__(self) -> str:
        given = [] if self._key is None else [repr(self._key)]
        given += [f"until={self._until!r}"] if self._until != FINISHED else []
        given += [f"then={self._then!r}"] if self._then != SKIP else []
        return f"Unique({', '.join(given)})"


def _unique_of(key: Any, until: Any, then: Any) -> Unique:
    return Unique(key, until=until, then=then)


def _any(**kwargs: Any) -> None:
    """Take any keywords, as a task may of which only the name is known here."""


def as_unique(given: Any, what: str) -> Unique | None:
    """Return the option `unique`: a Unique, True (all arguments), or a key; None for False.

    Raises InvalidTaskError for what is none; the error says `what` it was given to.
    """
    if given is None or given is False:
        return None
    if given is True:
        return Unique()
    if isinstance(given, Unique):
        return given
    if isinstance(given, str):
        return Unique(given)
    if isinstance(given, Mapping) and given.keys() <= {"key", "until", "then"}:  # it was JSON
        return Unique(given.get("key"), **{k: each for k, each in given.items() if k != "key"})
    raise InvalidTaskError(
        f"{what}: unique is {given!r:.99}: give liteq.Unique('{{parameter}}'), or True for one "
        f"task of the same arguments"
    )


def is_keyed(task: TaskOptions, options: Options) -> bool:
    """Return whether a call may have a key."""
    return task.unique is not None or not _NAMES.isdisjoint(options)


def without_keys(options: Options) -> dict[str, Any]:
    """Return the options of a call without those for a task that waits in a store."""
    return {name: each for name, each in options.items() if name not in _NAMES}


def check_kept(options: Options) -> None:
    """Raise TypeError if options of a retry would change the key of the task."""
    for name in OPTIONS:
        if name in options:
            raise TypeError(f"retry() got an unexpected option {name!r}: the task keeps its key")


def with_key(
    task: TaskOptions,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Options,
    *,
    step: bool = False,
    takes: bool = False,
) -> dict[str, Any]:
    """Return the options of a call with its `UniqueKey`, or False, as `unique`.

    `step`: it waits for another task; with `takes` the result of that is its first argument.
    Raises InvalidTaskError when the call cannot have a key, or such options.
    """
    rest = without_keys(options)
    rest["unique"] = given = options.get("unique")
    if isinstance(given, UniqueKey):  # it was made before
        return rest
    rest["unique"] = False
    what = f"{task.name} is not sent"
    unique = as_unique(task.unique if given is None else given, what)
    spaced = {n: options[n] for n in OPTIONS[1:] if options.get(n) is not None}
    if spaced:
        _check_spaced(spaced, given, rest, what, step=step)
        made = _spaced(spaced, unique)
    elif unique is not None:
        made = UniqueKey("", unique.until, unique.then)
    else:
        return rest
    own: str | None = ""
    if unique is not None:
        own = unique.key_of(task, (_TAKEN, *args) if takes else args, kwargs)
    if own is None:
        return rest
    rest["unique"] = made._replace(key=stored_key(task.name, own))
    if "debounce" in spaced:
        rest["countdown"] = _seconds(spaced["debounce"], f"{what}: debounce")
    return rest


def _spaced(spaced: Mapping[str, Any], unique: Unique | None) -> UniqueKey:
    """Return how calls are spaced that are debounced or throttled, without their key."""
    if "throttle" in spaced:
        return UniqueKey("", _seconds(spaced["throttle"], "throttle"), THROTTLE)
    until = FINISHED if unique is not None and unique.until == FINISHED else STARTED
    latest = spaced.get("debounce_max")
    return UniqueKey("", until, COALESCE, None if latest is None else _seconds(latest, "it"))


def _check_spaced(
    spaced: Mapping[str, Any], unique: Any, options: Options, what: str, *, step: bool
) -> None:
    """Raise InvalidTaskError for options by which calls cannot be debounced or throttled."""
    first = next(iter(spaced))
    if step:
        raise InvalidTaskError(
            f"{what}: {first} is for a call that can run at once, and this one is a step of a "
            f"workflow, which waits for another task"
        )
    if isinstance(unique, Unique) and unique.then != SKIP:
        raise InvalidTaskError(
            f"{what}: both {first} and {unique!r} say what becomes of a second call: give one"
        )
    if "throttle" in spaced and len(spaced) > 1:
        raise InvalidTaskError(f"{what}: throttle and {first} contradict each other: give one")
    seconds = {name: _seconds(each, f"{what}: {name}") for name, each in spaced.items()}
    if "throttle" in seconds:
        return
    if "debounce" not in seconds:
        raise InvalidTaskError(f"{what}: debounce_max says nothing without debounce")
    if seconds.get("debounce_max", _LONGEST) < seconds["debounce"]:
        raise InvalidTaskError(f"{what}: debounce_max is shorter than debounce")
    for name in _TIMES:
        if options.get(name) is not None:
            raise InvalidTaskError(f"{what}: debounce says when it runs, so it can have no {name}")


def _seconds(given: Any, what: str, more: str = "") -> float:
    """Return a time in seconds. Raises InvalidTaskError, which calls it `what`."""
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if is_number and 0 < seconds <= _LONGEST:
        return float(seconds)
    words = f"{more} a number" if more else "a number"
    raise InvalidTaskError(f"{what} is {given!r:.99}: give {words} of seconds above 0")


def _unknown_yet(task: TaskOptions, what: str) -> InvalidTaskError:
    return InvalidTaskError(
        f"{task.name} is not sent: {what} depends on its first argument, the result of the step "
        f"before, which is not known yet. Give this step another key, .set(unique=Unique(...)), or "
        f"none: .set(unique=False)"
    )
