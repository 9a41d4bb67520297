"""The limits of a call: those of its task, or its own, with the keys for its arguments."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..exceptions import InvalidTaskError
from ..model.keytemplate import Arguments
from ..model.limit import OPTION, Limit, LimitUse, checked_cost, uses_of
from ..model.message import Message

LIMITING = frozenset((OPTION, "cost"))
"""The options of a call that are about its limits."""

NOT_KNOWN_YET: Any = object()
"""An argument that another task gives: its value is known when the task runs."""


class LimitOptions:
    """The options of a task by which it has limits."""

    limits: Sequence[Limit] = ()
    rate_limit: str | float | None = None  # Celery's: how many start in a time


class TaskLimits:
    """The limits `limits` of calls of `function`; of a task that is known only by name, of None.

    Raises InvalidTaskError, which calls the task `what`, for limits that it cannot have.
    """

    def __init__(
        self, limits: Iterable[Limit], function: Callable[..., Any] | None, what: str
    ) -> None:
        self.limits: tuple[Limit, ...] = tuple(_checked(limits, what))
        names = [name for limit in self.limits for name in limit.template.names]
        self._arguments = Arguments(function or _any_keywords, names, what) if names else None
        self._what = what
        self._constant: list[dict[str, Any]] | None = None
        if self._arguments is None:
            self._constant = self._uses([], None)

    def of_call(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], cost: Any
    ) -> list[dict[str, Any]] | None:
        """Return what a message says of them; None if it cannot, as an argument is not known yet.

        `cost`: of this call, or by the names of limits; None for those of the limits.
        """
        if self._arguments is None:
            return self._constant if cost is None else self._uses([], cost)
        values = self._arguments.values(args, kwargs)
        if any(each is NOT_KNOWN_YET for each in values):
            return None
        return self._uses(values, cost)

    def _uses(self, values: Sequence[Any], cost: Any) -> list[dict[str, Any]]:
        costs = self._costs(cost)
        found = []
        for limit in self.limits:
            taken, values = values[: len(limit.template.names)], values[len(limit.template.names) :]
            what = f"{self._what}, {limit!r}"
            its_cost = checked_cost(costs.get(limit.name, limit.cost), limit.rule, what)
            key = limit.template.key(taken)
            found.append(LimitUse(key, limit.name, its_cost, limit.rule).plain())
        return found

    def _costs(self, cost: Any) -> Mapping[str, Any]:
        """Return the costs of a call by the names of its limits."""
        if cost is None:
            return {}
        if not isinstance(cost, Mapping):
            return {limit.name: cost for limit in self.limits}
        names = {each for limit in self.limits for each in (limit.name, limit.template.text)}
        if unknown := [name for name in cost if name not in names]:
            raise InvalidTaskError(
                f"{self._what}: cost names the limit {unknown[0]!r}, which it has not; it has "
                f"{', '.join(repr(limit.template.text) for limit in self.limits) or 'none'}"
            )
        return {
            limit.name: cost.get(limit.template.text, cost.get(limit.name, limit.cost))
            for limit in self.limits
        }


def _any_keywords(**_: Any) -> None:
    """Take what is passed by name, as a task may whose function is not known here."""


def _checked(limits: Any, what: str) -> Sequence[Limit]:
    """Return limits that one task can have together. Raises InvalidTaskError for others."""
    if isinstance(limits, Limit):
        limits = (limits,)
    if not isinstance(limits, list | tuple):
        raise InvalidTaskError(f"{what}: limits is {limits!r:.100}, but must be a list of Limit")
    names: set[str] = set()
    for limit in limits:
        if not isinstance(limit, Limit):
            raise InvalidTaskError(
                f"{what}: one of its limits is {limit!r:.100}, but must be a Limit, such as "
                f"Limit('openai', rate='60/m')"
            )
        if limit.name in names:
            raise InvalidTaskError(
                f"{what} has two limits named {limit.template.text!r}: give one of them both "
                f"numbers, as in Limit('openai', rate='60/m', running=5)"
            )
        names.add(limit.name)
    return limits


def limits_of_task(task: Any) -> TaskLimits | None:
    """Return the limits of a task; None if it has none. Raises InvalidTaskError for wrong ones."""
    limits, rate = task.limits, task.rate_limit
    if not limits and not rate:
        return None
    known: tuple[Any, Any, TaskLimits] | None = getattr(task, "_known_limits", None)
    if known is not None and known[0] is limits and known[1] == rate:
        return known[2]
    what = f"task {task.name}"
    found = list(_checked(limits, what))
    if rate:
        found.append(_of_celery(task.name, rate, what))
    function: Callable[..., Any] | None = getattr(task, "run", None)
    made = TaskLimits(found, function, what)
    task._known_limits = limits, rate, made
    return made


def _of_celery(name: str, rate: Any, what: str) -> Limit:
    """Return the limit that Celery's option `rate_limit` stands for: it has the task's name."""
    try:
        return Limit(name.replace("{", "{{").replace("}", "}}"), rate=rate)
    except InvalidTaskError as exc:
        raise InvalidTaskError(f"{what}: rate_limit={rate!r:.100}: {exc}") from None


def with_limits(
    message: Message, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], options: Any
) -> Message:
    """Return `message` with the limits of a call, or of its task, among its options.

    Raises InvalidTaskError for limits that the call cannot have.
    """
    given, cost = options.get(OPTION), options.get("cost")
    what = f"task {task.name}"
    if given is None:
        limits = limits_of_task(task)
        if limits is None and cost is not None and hasattr(task, "run"):
            raise InvalidTaskError(f"{what} has no limits, of which cost={cost!r:.100} could say")
        uses = None if limits is None else limits.of_call(args, kwargs, cost)
    elif isinstance(given, list | tuple) and given and all(isinstance(x, dict) for x in given):
        uses = _again(given, cost, what)
    else:
        limits = TaskLimits(given, getattr(task, "run", None), what)
        uses = limits.of_call(args, kwargs, cost)
        if uses is None:
            raise InvalidTaskError(
                f"{what}: a limit of this call names a parameter that another task gives, so its "
                f"key is not known yet: give the limit to the task itself"
            )
    if uses is None:
        return message
    from json import dumps  # takes 2 ms, and most programs send no limits

    text = f'"{OPTION}":{dumps(uses, separators=(",", ":"))}'
    head = message.options[:-1] + "," if message.options and message.options != "{}" else "{"
    return message._replace(options=f"{head}{text}}}")


def _again(given: Sequence[dict[str, Any]], cost: Any, what: str) -> list[dict[str, Any]]:
    """Return the limits that an earlier attempt was sent with."""
    found = []
    for use in uses_of({OPTION: list(given)}):
        its_cost = use.cost if cost is None else _cost_of(use, cost)
        checked_cost(its_cost, use.rule, f"{what}, its limit {use.key!r}")
        found.append(use._replace(cost=its_cost).plain())
    return found


def _cost_of(use: LimitUse, cost: Any) -> Any:
    return cost.get(use.name, use.cost) if isinstance(cost, Mapping) else cost


class DeclaredLimits:
    """The limits that the code of one application declares, by name.

    All that share a name have the same numbers, as all their tasks wait in one line.
    """

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Limit]] = {}  # by name and task

    def declare(self, task: str, limits: Iterable[Limit]) -> None:
        """Note the limits of the task `task`, in place of those that it had.

        Raises InvalidTaskError if another task has one of that name with other numbers.
        """
        for tasks in self._known.values():
            tasks.pop(task, None)
        for limit in limits:
            for other, known in self._known.get(limit.name, {}).items():
                if known.rule != limit.rule:
                    raise InvalidTaskError(
                        f"task {task} has {limit!r}, and task {other} has {known!r}: as they share "
                        f"the limit, give both the same numbers, or one of them another key"
                    )
        for limit in limits:
            self._known.setdefault(limit.name, {})[task] = limit

    def get(self, name: str) -> Limit | None:
        """Return the limit of that name; None if no task has it."""
        return next(iter(self._known.get(name, {}).values()), None)
