"""Calls that run one after the other: `chain`, and what `|` makes of signatures."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from ..result import AsyncResult, ResultBase
from ..result.app import App
from ..sending.options import LINKS
from .attributes import Part
from .chord import chord
from .compound import Compound
from .eager import StepContext, allows_next, join_to, what_failed
from .factory import signatures
from .group import group
from .signature import Signature, as_list, as_signature
from .stamping import only_stamps


class chain(Compound[AsyncResult[Any]]):  # noqa: N801 - Celery's name
    """Calls that run one after the other, each with the value of the one before it.

    `chain(add.s(1, 1), add.s(2))` is `add.s(1, 1) | add.s(2)`; or give it one iterable of
    signatures. A group with something after it makes a chord, so what you get may be none, and
    of a single signature it is just that. Arguments of the call go to the first step, and so do
    options.
    """

    tasks: "Part[list[Signature]]" = Part("tasks")

    def __new__(cls, *tasks: Any, app: App | None = None, **options: Any) -> Any:
        steps: list[Signature] = []
        for each in signatures(tasks):
            if not isinstance(each, Compound) or each.parts():
                _append(steps, each)
        made = _reduced(steps, app)
        return made.set(**options) if options else made

    def __init__(self, *tasks: Any, app: App | None = None, **options: Any) -> None:
        """All is done by `__new__`."""

    @classmethod
    def of(cls, steps: Sequence[Signature], app: App | None = None) -> "chain":
        """The chain of just these steps, which are its own."""
        made = dict.__new__(cls)
        tasks = {"tasks": list(steps)}
        Signature.__init__(made, "celery.chain", (), tasks, subtask_type="chain", app=app)
        return made

    @classmethod
    def join(cls, first: Signature, then: Any) -> Signature:
        """What `first | then` is."""
        return _joined(first.as_step(), as_signature(then))

    @property
    def id(self) -> str | None:
        """The id of the last step; None before `freeze`."""
        return self.tasks[-1].id if self.tasks else None

    @id.setter
    def id(self, id: str | None) -> None:
        self.tasks[-1].id = id

    def parts(self) -> list[Signature]:
        tasks: list[Signature] = self.tasks
        return tasks

    def replace_parts(self, change: Callable[[Any], Any]) -> None:
        self.tasks = [change(task) for task in self.tasks]

    def link(self, callback: Any) -> Any:
        """Have `callback` called with the value of the last step; answer it."""
        return self.tasks[-1].link(callback)

    def link_error(self, errback: Any) -> Any:
        """Have `errback` called for the step that fails, whichever it is; answer it."""
        for task in self.tasks:
            errback = task.link_error(errback)
        return errback

    def stamp(self, visitor: Any = None, append_stamps: bool = False, **stamps: Any) -> Self:
        """Stamp all steps."""
        stamps = only_stamps(stamps)
        if visitor is not None:
            stamps |= only_stamps(visitor.on_chain_start(self, **stamps))
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

    def _freeze(self, id: str | None, root_id: str | None, parent_id: str | None) -> Any:
        before = None
        for task in self.tasks:
            last = id if task is self.tasks[-1] else None
            result = task.freeze(last, root_id=root_id, parent_id=parent_id)
            if before is not None:
                result.follow(before)
            before, parent_id = result, None
        return before

    def run_eagerly(self, args: Sequence[Any], context: StepContext) -> ResultBase:
        *earlier, last = self.tasks
        before: ResultBase | None = None
        for task in earlier:
            before = _next(
                task, args, StepContext(context.throw, context.root_id, context.parent_id), before
            )
        return _next(last, args, context, before)

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


def _next(
    task: Signature, args: Sequence[Any], context: StepContext, before: ResultBase | None
) -> ResultBase:
    """Run the step that comes after the result `before`."""
    if before is None:
        return task.run_eagerly(args, context)
    if allows_next(before):
        after = context.after(before)
        after = after._replace(
            group_id=context.group_id, group_index=context.group_index, chord=context.chord
        )
        result = task.run_eagerly((before.get(),), after)
        join_to(result, before)
    else:
        result = task.skip_eagerly(what_failed(before))
        result.follow(before)
    return result


# what `|` does; all that is changed here is the caller's own copy


def _joined(first: Signature, then: Signature) -> Signature:
    if isinstance(first, chain) and first.tasks:
        _append(first.tasks, then)
        return first
    steps = [] if isinstance(first, chain) else [first]
    _append(steps, then)
    return _reduced(steps)


def _reduced(steps: list[Signature], app: App | None = None) -> Signature:
    return steps[0] if len(steps) == 1 else chain.of(steps, app)


def _append(steps: list[Signature], new: Signature) -> None:
    """Put `new` behind `steps`."""
    if isinstance(new, chain):
        for step in _opened(new):
            _append(steps, step)
        return
    last = steps[-1] if steps else None
    if isinstance(new, group) and not new.tasks and steps:
        return
    if isinstance(last, group | chord):
        _follow(steps, last, new)
    else:
        steps.append(new)


def _follow(steps: list[Signature], last: group | chord, new: Signature) -> None:
    """Put `new` behind the group or chord `last`, with which `steps` end."""
    if isinstance(last, chord):
        last.body = new if last.body is None else _joined(last.body, new)
    elif len(steps) > 1 and len(last.tasks) == 1:
        # In the middle of a chain a group of one is that one: what follows gets its value.
        (steps[-1],) = last.prepared().tasks
        steps[-1:] = _opened(steps[-1]) if isinstance(steps[-1], chain) else steps[-1:]
        _append(steps, new)
    else:
        steps[-1] = chord(last, new)


def _opened(inner: chain) -> list[Signature]:
    """The steps of a chain that becomes part of another one, with what was set on it."""
    ready = inner.prepared()
    if inner.immutable:
        for first in ready.tasks[:1]:
            first.set_immutable(True)
    tasks: list[Signature] = ready.tasks
    return tasks
