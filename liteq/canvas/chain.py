"""Signatures that run one after the other: `chain`, and the operator `|`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, Unpack

from ..result import AsyncResult, ResultBase
from ..result.app import App
from ..sending.call_options import CanvasOptions
from ..sending.options import LINKS
from .attributes import Part
from .chord import chord
from .compound import Compound
from .eager import StepContext, allows_next, first_error, link_after
from .factory import signatures
from .group import group
from .signature import Signature, as_signature
from .stamping import only_stamps, stamp_links
from .values import as_list


class chain(Compound[AsyncResult[Any]]):  # noqa: N801 - Celery's name
    """Signatures that run one after the other, each with the value of the one before it.

    `chain(add.s(1, 1), add.s(2))` is the same as `add.s(1, 1) | add.s(2)`; or `chain` of one
    iterable of signatures. A group with something after it becomes a chord, so the result may not
    be a chain. Arguments of the call go to the first step, and so do options.
    """

    tasks: "Part[list[Signature]]" = Part("tasks")

    def __new__(cls, *tasks: Any, app: App | None = None, **options: Unpack[CanvasOptions]) -> Self:
        given = signatures(tasks)
        steps: list[Signature] = []
        for each in given:
            if not isinstance(each, Compound) or each.parts():
                _append(steps, each)
        # Mostly a chain: as such it is typed.
        made: Any = chain.of(steps, app) if len(given) == 1 else _joined(steps, app)
        return made.set(**options) if options else made  # type: ignore[no-any-return]

    def __init__(
        self, *tasks: Any, app: App | None = None, **options: Unpack[CanvasOptions]
    ) -> None:
        """Do nothing: all is done by `__new__`."""

    @classmethod
    def of(cls, steps: Sequence[Signature], app: App | None = None) -> "chain":
        """Return the chain of exactly these steps, which are not copied."""
        made = dict.__new__(cls)
        tasks = {"tasks": list(steps)}
        Signature.__init__(made, "celery.chain", (), tasks, subtask_type="chain", app=app)
        return made

    @classmethod
    def join(cls, first: Signature, then: Any) -> Signature:
        """Return `first | then`."""
        return _join(first.as_step(), as_signature(then))

    @property
    def id(self) -> str | None:
        """Return the id of the last step; None before `freeze`, unless it was set."""
        id: str | None = self.options.get("task_id")
        return id

    @id.setter
    def id(self, id: str | None) -> None:
        self.options["task_id"] = self.tasks[-1].id = id

    def parts(self) -> list[Signature]:
        return self.tasks

    def replace_parts(self, change: Callable[[Any], Any]) -> None:
        self.tasks = [change(task) for task in self.tasks]

    def link(self, callback: Any) -> Any:
        """Have `callback` called with the value of the last step; return it."""
        for last in self.tasks[-1:]:
            callback = last.link(callback)
        return callback

    def link_error(self, errback: Any) -> Any:
        """Have `errback` called for whichever step fails; return it."""
        for task in self.tasks:
            errback = task.link_error(errback)
        return errback

    def stamp(self, visitor: Any = None, append_stamps: bool = False, **stamps: Any) -> Self:
        """Stamp all steps."""
        stamps = only_stamps(stamps)
        if visitor is not None:
            stamps |= only_stamps(visitor.on_chain_start(self, **stamps))
        stamp_links(self, visitor, append_stamps, stamps)
        for task in self.tasks:
            task.stamp(visitor, append_stamps, **stamps)
        if visitor is not None:
            visitor.on_chain_end(self, **stamps)
        return self

    def add_args(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        for task in () if self.immutable else self.tasks[:1]:
            task.add_args(args, kwargs)

    def set_options(self, options: Mapping[str, Any]) -> None:
        if not options or not self.tasks:
            return
        for callback in as_list(options.get("link")):
            self.link(callback)
        for errback in as_list(options.get("link_error")):
            self.link_error(errback)
        if options.get("task_id"):
            self.id = options["task_id"]
        others = {k: v for k, v in options.items() if k not in (*LINKS, "task_id")}
        self.tasks[0].set_options(others)

    def freeze_parts(self, id: str | None, root_id: str | None, parent_id: str | None) -> Any:
        before = None
        for task in self.tasks:
            last = id if task is self.tasks[-1] else None
            result = task.freeze(last, root_id=root_id, parent_id=parent_id)
            if before is not None:
                result.follow(before)
            before, parent_id = result, None
        if before is not None:
            self.options["task_id"] = before.id
        return before

    def run_eagerly(self, args: Sequence[Any], context: StepContext) -> ResultBase:
        *earlier, last = self.tasks
        before: ResultBase | None = None
        for task in earlier:
            before = _run_next(
                task, args, StepContext(context.throw, context.root_id, context.parent_id), before
            )
        return _run_next(last, args, context, before)

    def skip_eagerly(self, exc: Exception | None) -> ResultBase:
        before = None
        for task in self.tasks:
            result = task.skip_eagerly(exc)
            if before is not None:
                result.follow(before)
            before = result
        assert before is not None
        return before

    def fail_eagerly(self, exc: Exception, context: StepContext) -> ResultBase:
        *earlier, last = self.tasks
        result = last.fail_eagerly(exc, context)
        if earlier:
            result.follow(chain.of(earlier).skip_eagerly(exc))
        return result

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.tasks)) or "chain()"


def _run_next(
    task: Signature, args: Sequence[Any], context: StepContext, before: ResultBase | None
) -> ResultBase:
    """Run the step `task` after the step with the result `before`, or skip it."""
    if before is None:
        return task.run_eagerly(args, context)
    if allows_next(before):
        after = context.after(before)
        after = after._replace(
            group_id=context.group_id, group_index=context.group_index, chord=context.chord
        )
        result = task.run_eagerly((before.get(),), after)
        link_after(result, before)
    else:
        result = task.skip_eagerly(first_error(before))
        result.follow(before)
    return result


# the operator `|`; the signatures that are changed here are copies of the caller's


def _join(first: Signature, then: Signature) -> Signature:
    if isinstance(first, chain) and first.tasks:
        first.options.pop("task_id", None)  # the id of what was its last step
        _append(first.tasks, then)
        return first
    steps = [] if isinstance(first, chain) else [first]
    _append(steps, then)
    return _joined(steps)


def _joined(steps: list[Signature], app: App | None = None) -> Signature:
    """Return the chain of `steps`; of a single group or chord, just that."""
    alone = len(steps) == 1 and isinstance(steps[0], Compound)
    return steps[0] if alone else chain.of(steps, app)


def _append(steps: list[Signature], new: Signature) -> None:
    """Append `new` to `steps`; a group at their end becomes a chord."""
    if steps and isinstance(new, group) and _is_one_list(new):
        (new,) = new.tasks
    if isinstance(new, chain):
        for step in _steps_of(new):
            _append(steps, step)
        return
    last = steps[-1] if steps else None
    if isinstance(new, group) and not new.tasks and steps:
        return
    if isinstance(last, group | chord):
        _append_to_group(steps, last, new)
    else:
        steps.append(new)


def _is_one_list(new: group) -> bool:
    """Return whether the only member of a group ends in a group, whose list is its value."""
    return len(new.tasks) == 1 and isinstance(last_of(new.tasks[0]), group)


def last_of(call: Any) -> Any:
    """Return the task or the group with which `call` ends."""
    while isinstance(call, chain | chord):
        call = call.tasks[-1] if isinstance(call, chain) else call.body
    return call


def _append_to_group(steps: list[Signature], last: group | chord, new: Signature) -> None:
    """Append `new` to `steps`, which end with the group or chord `last`."""
    if isinstance(last, chord):
        last.body = new if last.body is None else _join(last.body, new)
    elif len(steps) > 1 and len(last.tasks) == 1:
        # Within a chain a group of one member is that member: what follows gets its value.
        (only,) = last.tasks
        steps[-1:] = _steps_of(only) if isinstance(only, chain) else [only]
        _append(steps, new)
    else:
        steps[-1] = chord(last, new)


def _steps_of(inner: chain) -> list[Signature]:
    """Return the steps of a chain that becomes part of another, with what was set on it."""
    if inner.immutable:
        for first in inner.tasks[:1]:
            first.set_immutable(True)
    return inner.tasks
