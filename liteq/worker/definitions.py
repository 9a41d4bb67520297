"""Options that a worker's own code gives its tasks, whichever program sends them.

A sender may know a task only by its name, or have an older version of its code. What it put into
the message counts only where the worker does not know the task, or where the call itself said it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..canvas.builtins import PREFIX
from ..config import Config
from ..model.message import Delivery, Message
from ..model.options import options_of
from ..support.printable import one_line
from .timelimits import TimeLimits


class Definition(NamedTuple):
    """The options of one task, with the settings for those that it leaves open."""

    acks_late: bool
    ignore_result: bool
    time_limit: float | None = None  # seconds


class Definitions(NamedTuple):
    """The definitions of the tasks that this worker knows, by name."""

    by_task: Mapping[str, Definition]

    @classmethod
    def of_tasks(cls, tasks: Mapping[str, Any], conf: Config) -> "Definitions":
        """Return the definitions that the attributes of `tasks` and the settings give."""
        found = {}
        for name, task in tasks.items():
            limit = _or(task.time_limit, conf.task_time_limit)
            found[name] = Definition(
                bool(_or(task.acks_late, conf.task_acks_late)),
                bool(_or(task.ignore_result, conf.task_ignore_result)),
                None if limit is None else float(limit),
            )
        return cls(found)

    @classmethod
    def of_plain(cls, plain: Mapping[str, Sequence[Any]]) -> "Definitions":
        """Return what `plain` returned, in another process.

        Raises AttributeError or TypeError when it is something else.
        """
        return cls({str(name): Definition(*options) for name, options in plain.items()})

    def plain(self) -> dict[str, tuple[Any, ...]]:
        """Return the definitions as plain values, for another process."""
        return {name: tuple(each) for name, each in self.by_task.items()}

    def changes(self, before: "Definitions") -> str:
        """Return in words which tasks have come and gone since `before`."""
        new = sorted(set(self.names()) - set(before.names()))
        gone = sorted(set(before.names()) - set(self.names()))
        names = [*(f"+{name}" for name in new), *(f"-{name}" for name in gone)]
        counts = f"+{len(new)} -{len(gone)} {'task' if len(names) == 1 else 'tasks'}"
        return one_line(": ".join([counts, ", ".join(names)] if names else [counts]))

    def names(self) -> list[str]:
        """Return the names in order, without those of the tasks that every app has."""
        return sorted(name for name in self.by_task if not name.startswith(PREFIX))

    def info(self) -> dict[str, object]:
        """Return what a worker stores about its tasks: `tasks`, all that it knows, is what it is
        handed, and `at_most_once` what is not run again when it has died."""
        return {"tasks": sorted(self.by_task), "at_most_once": self.at_most_once()}

    def time_limits(self, default: float | None) -> TimeLimits:
        """Return the hard time limits; `default` is that of tasks which are not known here."""
        limits = {name: each.time_limit for name, each in self.by_task.items()}
        own = {name: limit for name, limit in limits.items() if limit is not None}
        return TimeLimits("time_limit", own, default)

    def at_most_once(self) -> list[str]:
        """Return the names of the tasks that may not run again if they have lost their process."""
        return sorted(name for name, each in self.by_task.items() if not each.acks_late)

    def apply_all(self, deliveries: list[Delivery]) -> list[Delivery]:
        """Return `deliveries` with the options that count here, see `apply`."""
        known = self.by_task.get
        for each in deliveries:
            found = known(each.task)
            if found is not None and (
                found.acks_late != each.acks_late or found.ignore_result != each.ignore_result
            ):
                return list(map(self.apply, deliveries))
        return deliveries  # as nearly always: 0.1 us each

    def apply(self, delivery: Delivery) -> Delivery:
        """Return `delivery` with the options that count here."""
        known = self.by_task.get(delivery.task)
        # Two comparisons, as each task comes through here.
        if known is None or (
            known.acks_late == delivery.acks_late and known.ignore_result == delivery.ignore_result
        ):
            return delivery
        ignore = _said_by_the_call(delivery.message, "ignore_result", known.ignore_result)
        if known.acks_late == delivery.acks_late and ignore == delivery.ignore_result:
            return delivery
        return delivery._replace(acks_late=known.acks_late, ignore_result=ignore)


def _or(given: Any, default: Any) -> Any:
    return default if given is None else given


def at_most_once_by(info: Mapping[str, Any], held: Sequence[Delivery]) -> list[Delivery]:
    """Return what a dead worker held, with `acks_late` as its code had it.

    `info`: its record in the store, which other programs may have written.
    """
    once, known = info.get("at_most_once"), info.get("tasks")
    if not isinstance(once, list) or not isinstance(known, list):
        return list(held)
    return [
        each._replace(acks_late=each.task not in once) if each.task in known else each
        for each in held
    ]


def _said_by_the_call(message: Message, option: str, default: bool) -> bool:
    said = options_of(message).get(option)
    return default if said is None else bool(said)
