"""The conversion of periodic tasks that code declares, as in `beat_schedule`, into entries."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from ..canvas import Signature
from ..canvas.builtins import START
from ..exceptions import ImproperlyConfigured, LiteqError
from ..model.entry import MISFIRES, Entry
from ..model.message import Message
from ..model.options import parse_options
from ..result.app import App
from ..sending.call_options import RetryOptions
from ..sending.options import Named, check_arguments, check_name
from ..support.nearest import did_you_mean
from ..support.zones import as_zone

if TYPE_CHECKING:
    from ..schedules import BaseSchedule

FIELDS = ("grace", "jitter", "misfire", "overlap", "relative", "timezone")
"""The fields of an entry in `beat_schedule` that are not about the call that it makes."""


class PeriodicOptions(RetryOptions, total=False):
    """The keywords of `app.add_periodic_task`: arguments and options of the call, and fields."""

    args: Sequence[Any]
    kwargs: Mapping[str, Any] | None
    name: str | None
    grace: float | timedelta | None
    jitter: float | timedelta
    misfire: str
    overlap: bool
    relative: bool
    timezone: str | tzinfo | None


_CALL = ("args", "kwargs", "options", "schedule", "task")
_OF_ONE_CALL = ("countdown", "debounce", "debounce_max", "eta", "task_id", "throttle")


def entries_of(app: App) -> list[Entry]:
    """Return the entries of `beat_schedule`, `add_periodic_task`, and tasks with a `schedule`.

    Raises ImproperlyConfigured, with the entry's name, for one that is not valid.
    """
    of_tasks = {
        task.name: {"task": task.name, **_fields_of(task.schedule)}
        for task in app.tasks.values()
        if task.schedule is not None
    }
    declared = {**of_tasks, **app.conf.beat_schedule, **app.periodic_tasks}
    return [
        entry_of(app, name, fields)._replace(app=name_of(app)) for name, fields in declared.items()
    ]


def name_of(app: App) -> str:
    """Return the name by which entries refer to `app`, whose code declares them."""
    return app.main or "__main__"


def periodic_call(
    schedule: "float | timedelta | BaseSchedule",
    sig: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
    **options: Any,
) -> tuple[str, dict[str, Any]]:
    """Return the arguments of `add_periodic_task` as the name and the fields of an entry."""
    own = {field: options.pop(field) for field in FIELDS if field in options}
    call = sig if isinstance(sig, Signature) else sig.s()
    call = call.clone(args, kwargs)
    fields = {"schedule": schedule, **call_of(call, options=options), **own}
    return name or repr(call), fields


def call_of(
    task: Any, args: Any = None, kwargs: Any = None, options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the fields of an entry for its call. `task`: a task, its name, or a signature."""
    if not isinstance(task, Signature):
        call = {"task": getattr(task, "name", task), "args": args, "kwargs": kwargs}
        return {**call, "options": dict(options or {})}
    call = task.clone(args or (), kwargs or {})
    if call.subtask_type is None and not (
        call.options.get("link") or call.options.get("link_error")
    ):
        fields = {"task": call.task, "args": call.args, "kwargs": call.kwargs}
        return {**fields, "options": {**call.options, **(options or {})}}
    # A canvas of several tasks: a task of ours sends it, with new ids each time.
    return {"task": START, "args": (dict(call),), "options": dict(options or {})}


def entry_of(app: App, name: str, fields: Mapping[str, Any]) -> Entry:
    """Return the entry that `fields` describe, as in `beat_schedule`.

    Raises ImproperlyConfigured, with its name, for fields that are not valid.
    """
    try:
        return _entry(app, check_name("schedule name", name), _checked(fields))
    except (LiteqError, TypeError, ValueError) as exc:
        raise ImproperlyConfigured(f"schedule {name!r}: {exc}") from exc


def _entry(app: App, name: str, fields: Mapping[str, Any]) -> Entry:
    from ..schedules import maybe_schedule, to_text  # takes 2 ms, and many apps have no schedules

    timing = maybe_schedule(fields["schedule"], bool(fields.get("relative")))
    if timing is None or not fields.get("task"):
        raise ValueError("an entry needs a `task` and a `schedule`")
    misfire = fields.get("misfire", "once")
    if misfire not in MISFIRES:
        raise ValueError(f"misfire is {misfire!r}: give one of {', '.join(MISFIRES)}")
    zone = as_zone(fields.get("timezone") or app.timezone)
    message, expires = _message(app, fields)
    grace = fields.get("grace")
    return Entry(
        name,
        to_text(timing.in_zone(zone)),
        message,
        misfire=misfire,
        grace=None if grace is None else _seconds("grace", grace),
        overlap=bool(fields.get("overlap", True)),
        jitter=_seconds("jitter", fields.get("jitter", 0.0)),
        expires=expires,
    )


def _message(app: App, fields: Mapping[str, Any]) -> tuple[Message, float | None]:
    """Return the message to send each time, and the seconds after which it expires."""
    args, kwargs = check_arguments(fields.get("args"), fields.get("kwargs"))
    options = dict(fields.get("options") or {})
    for option in _OF_ONE_CALL:
        if options.pop(option, None) is not None:
            raise ValueError(f"the option {option!r} is for one call; this one is made many times")
    task = app.tasks.get(fields["task"])
    if task is not None:
        task.check(args, kwargs)
    if app.override_for(fields["task"]) is not None:
        # Each time, a worker calls the user's own `apply_async`: for a task of ours it sends this.
        call = Signature(fields["task"], args, kwargs, options)
        task, args, kwargs = app.tasks[START], (dict(call),), {}
        options = {**options, "unique": False}  # the call has it
    expires = options.get("expires", task and task.expires)
    relative = expires is not None and not isinstance(expires, datetime | str)
    if relative:
        options["expires"] = None
    message = app.producer.template(task or Named(fields["task"]), args, kwargs, options)
    kept = parse_options(message)
    for lineage in ("root_id", "parent_id"):  # of the task that is running here, if any
        kept.pop(lineage, None)
    message = message._replace(id="", options=json.dumps(kept) if kept else None)
    return message, _seconds("expires", expires) if relative else None


def _fields_of(given: Any) -> Mapping[str, Any]:
    """Return the fields of an entry that a task's option `schedule` gives: it may be a schedule."""
    return given if isinstance(given, Mapping) else {"schedule": given}


def _checked(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    known = (*FIELDS, *_CALL)
    for field in fields:
        if field not in known:
            hint = did_you_mean(str(field), known, f"; known are {', '.join(known)}")
            raise ValueError(f"there is no {field!r} in an entry{hint}")
    if "schedule" not in fields:
        raise ValueError("an entry needs a `schedule`")
    return fields


def _seconds(name: str, given: Any) -> float:
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < 1e10:
        return float(seconds)
    raise ValueError(f"{name} is {given!r}: give seconds, 0 or more")
