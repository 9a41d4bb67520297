"""Signatures that run in parallel: `group`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self, Unpack

from ..exceptions import InvalidTaskError
from ..model.message import new_id
from ..result import GroupResult
from ..result.app import App
from ..sending.call_options import CanvasOptions
from ..sending.options import LINKS
from .attributes import Part
from .compound import Compound
from .eager import StepContext
from .factory import signatures
from .signature import Signature
from .stamping import only_stamps, stamp_links
from .values import as_list

_OF_THE_GROUP = (*LINKS, "task_id", "on_error")


class group(Compound[GroupResult]):  # noqa: N801 - Celery's name
    """Signatures that run in parallel; the value is the list of their values, in order.

    `group(add.s(1, 1), add.s(2, 2))`, or `group` of one iterable of signatures. The members of a
    group in it become its own; chains without steps are left out. Arguments of the call go to
    every member, and so do options except `on_error`: with `on_error="continue"` what follows
    runs even if members fail, and gets their exceptions in place of their values.
    """

    tasks: "Part[list[Signature]]" = Part("tasks")

    @property
    def forgiving(self) -> bool:
        """Return whether what follows runs even if members fail."""
        return bool(self.options.get("on_error") == "continue")

    def __init__(
        self, *tasks: Any, app: App | None = None, **options: Unpack[CanvasOptions]
    ) -> None:
        super().__init__(
            "celery.group",
            (),
            {"tasks": list(_members(signatures(tasks)))},
            options,
            subtask_type="group",
            app=app,
        )

    def parts(self) -> list[Signature]:
        return self.tasks

    def replace_parts(self, change: Callable[[Any], Any]) -> None:
        self.tasks = [change(task) for task in self.tasks]

    def holders(self) -> Iterator[Signature]:
        yield self
        yield from super().holders()

    def __or__(self, other: object) -> Signature:  # type: ignore[override]
        if self.tasks:
            return super().__or__(other)
        chord: Any = self.TYPES["chord"]  # without members: what follows runs with an empty list
        joined: Signature = chord(self, other)
        return joined

    def skew(self, start: float = 1.0, stop: float | None = None, step: float = 1.0) -> Self:
        """Give the members countdowns, in seconds: `start`, and `step` more for each next one.

        `stop`: the longest countdown.
        """
        for n, task in enumerate(self.tasks):
            countdown = start + n * step
            task.set(countdown=countdown if stop is None else min(countdown, stop))
        return self

    def set_immutable(self, immutable: bool) -> None:
        """Set whether the members ignore arguments of the call."""
        for task in self.tasks:
            task.set_immutable(immutable)

    def link(self, callback: Any) -> Any:
        """Have `callback` called with the value of the first member; return it."""
        for task in self.tasks[:1]:
            callback = task.link(callback)
        return callback

    def link_error(self, errback: Any) -> Any:
        """Have `errback` called for each member that fails; return it."""
        for task in self.tasks:
            errback = task.link_error(errback)
        return errback

    def stamp(self, visitor: Any = None, append_stamps: bool = False, **stamps: Any) -> Self:
        """Stamp all members."""
        stamps = only_stamps(stamps)
        if visitor is not None:
            stamps |= only_stamps(visitor.on_group_start(self, **stamps))
        stamp_links(self, visitor, append_stamps, stamps)
        for task in self.tasks:
            task.stamp(visitor, append_stamps, **stamps)
        if visitor is not None:
            visitor.on_group_end(self, **stamps)
        return self

    def add_args(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        for task in () if self.immutable else self.tasks:
            task.add_args(args, kwargs)

    def set_options(self, options: Mapping[str, Any]) -> None:
        for callback in as_list(options.get("link")):
            self.link(callback)
        for errback in as_list(options.get("link_error")):
            self.link_error(errback)
        if options.get("task_id"):
            self.id = options["task_id"]
        if "on_error" in options:
            self.options["on_error"] = _checked(options["on_error"])
        shared = {k: v for k, v in options.items() if k not in _OF_THE_GROUP}
        for task in self.tasks if shared else ():
            task.set_options(shared)

    def freeze_parts(
        self, id: str | None, root_id: str | None, parent_id: str | None
    ) -> GroupResult:
        self.id = id or self.id or new_id()
        results = [task.freeze(root_id=root_id, parent_id=parent_id) for task in self.tasks]
        return GroupResult(self.id, results, app=self.own_app, forgiving=self.forgiving)

    def run_eagerly(self, args: Sequence[Any], context: StepContext) -> GroupResult:
        results = [
            task.run_eagerly(args, context._replace(group_id=self.id, group_index=n))
            for n, task in enumerate(self.tasks)
        ]
        return GroupResult(self.id, results, app=self.app)

    def skip_eagerly(self, exc: Exception | None) -> GroupResult:
        return GroupResult(self.id, [task.skip_eagerly(exc) for task in self.tasks], app=self.app)

    def fail_eagerly(self, exc: Exception, context: StepContext) -> GroupResult:
        return GroupResult(
            self.id, [task.fail_eagerly(exc, context) for task in self.tasks], app=self.app
        )

    def __repr__(self) -> str:
        return f"group({self.tasks!r})"


def _members(given: Sequence[Signature]) -> Iterator[Signature]:
    for each in given:
        if isinstance(each, group):
            yield from each.tasks
        elif not isinstance(each, Compound) or each.parts():
            yield each


def _checked(on_error: Any) -> Any:
    if on_error not in ("fail", "continue"):
        raise InvalidTaskError(f'on_error is "fail" or "continue", not {on_error!r:.100}')
    return on_error
