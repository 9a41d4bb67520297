"""A group, and a body that runs when all of it has finished: `chord`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, Unpack

from ..exceptions import ChordError, ImproperlyConfigured
from ..execution.failure import chord_error
from ..result import AsyncResult, GroupResult, ResultBase
from ..result.app import App
from ..result.waiting import leaves_before
from ..sending.call_options import CanvasOptions
from ..sending.options import LINKS
from .attributes import Part
from .compound import Compound
from .eager import StepContext, link_after
from .group import group
from .signature import Signature, as_link, as_signature, maybe_signature
from .stamping import only_stamps, stamp_links
from .values import as_list

_FOR_HEADER = ("countdown", "eta", "on_error")


class chord(Compound[AsyncResult[Any]]):  # noqa: N801 - Celery's name
    """A group (the header), and a body that runs with the list of its values.

    `chord([add.s(1, 1), add.s(2, 2)], total.s())`, or `chord(header)(body)`. The header may be a
    group, an iterable of signatures, or a single one; the body any signature. Arguments of the
    call go to the header. Options go to the body, except `countdown`, `eta` and `on_error`, which
    go to the header.

    When a task of the header fails, the others still run, but the body does not: it fails with
    ChordError, and its errbacks are called. With `on_error="continue"` the body does run, and
    gets the exceptions in place of the missing values.
    """

    header: "Part[group]" = Part("header")
    body: "Part[Any]" = Part("body")  # a Signature; None until there is one

    def __init__(
        self,
        header: Any,
        body: Any = None,
        app: App | None = None,
        **options: Unpack[CanvasOptions],
    ) -> None:
        made = maybe_signature(header)
        super().__init__(
            "celery.chord",
            (),
            {
                "header": made.own_copy() if isinstance(made, group) else group(made),
                "body": None if body is None else as_signature(body),
            },
            options,
            subtask_type="chord",
            app=app,
        )

    @property
    def tasks(self) -> Any:
        """Return the tasks of the header."""
        return self.header.tasks

    @tasks.setter
    def tasks(self, tasks: Any) -> None:
        self.header.tasks = tasks

    @property
    def id(self) -> str | None:
        """Return the id of the body; None before `freeze`."""
        id: str | None = self.body and self.body.id
        return id

    @id.setter
    def id(self, id: str | None) -> None:
        self.body.id = id

    def parts(self) -> list[Signature]:
        return [self.header] if self.body is None else [self.header, self.body]

    def replace_parts(self, change: Callable[[Any], Any]) -> None:
        self.header = change(self.header)
        self.body = None if self.body is None else change(self.body)

    def __call__(self, body: Any = None, **options: Unpack[CanvasOptions]) -> AsyncResult[Any]:
        """Send it, with `body` if one is given."""
        made = self if body is None else chord(self.header, body, app=self.own_app, **self.options)
        return made.apply_async(**options)

    def link(self, callback: Any) -> Any:
        """Have `callback` called with the value of the body; return it."""
        return self.body.link(callback)

    def link_error(self, errback: Any) -> Any:
        """Have `errback` called when the body fails, also because of the header; return it.

        With `task_allow_error_cb_on_chord_header` it is called for each task of the header that
        fails as well, with its own arguments only.
        """
        errback = as_link(errback, self.own_app)
        if self.app.conf.task_allow_error_cb_on_chord_header:
            self.header.link_error(errback.clone().set(immutable=True))
        self.body.link_error(errback)
        return errback

    def stamp(self, visitor: Any = None, append_stamps: bool = False, **stamps: Any) -> Self:
        """Stamp the tasks of the header, and the body."""
        of_header = stamps = only_stamps(stamps)
        if visitor is not None:
            of_header = stamps | only_stamps(visitor.on_chord_header_start(self, **stamps))
        stamp_links(self, visitor, append_stamps, stamps)
        for task in self.header.tasks:
            task.stamp(visitor, append_stamps, **of_header)
        if visitor is not None:
            visitor.on_chord_header_end(self, **of_header)
            stamps |= only_stamps(visitor.on_chord_body(self, **stamps))
        if self.body is not None:
            self.body.stamp(visitor, append_stamps, **stamps)
        return self

    def add_args(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        if not self.immutable:
            self.header.add_args(args, kwargs)

    def set_options(self, options: Mapping[str, Any]) -> None:
        if not options:
            return
        for callback in as_list(options.get("link")):
            self.link(callback)
        for errback in as_list(options.get("link_error")):
            self.link_error(errback)
        self.header.set_options({k: v for k, v in options.items() if k in _FOR_HEADER})
        if self.body is not None:
            others = {k: v for k, v in options.items() if k not in (*LINKS, *_FOR_HEADER)}
            self.body.set_options(others)

    def freeze_parts(self, id: str | None, root_id: str | None, parent_id: str | None) -> Any:
        if self.body is None:
            raise ImproperlyConfigured("this chord has no body: chord(header)(body)")
        header = self.header.freeze_parts(None, root_id, parent_id)
        result = self.body.freeze(id, root_id=root_id)
        result.follow(header)
        return result

    def run_eagerly(self, args: Sequence[Any], context: StepContext) -> ResultBase:
        header = self.header.run_eagerly(args, context._replace(chord=self.body))
        after = context.after(header)._replace(
            group_id=context.group_id, group_index=context.group_index
        )
        forgiving = self.header.forgiving
        exc = None if forgiving else _header_error(header)
        result: ResultBase
        if exc is None:
            result = self.body.run_eagerly((header.get(propagate=not forgiving),), after)
        else:
            result = self.body.fail_eagerly(exc, after)
        link_after(result, header)
        return result

    def skip_eagerly(self, exc: Exception | None) -> ResultBase:
        result: ResultBase = self.body.skip_eagerly(exc)
        result.follow(self.header.skip_eagerly(exc))
        return result

    def fail_eagerly(self, exc: Exception, context: StepContext) -> ResultBase:
        result: ResultBase = self.body.fail_eagerly(exc, context)
        result.follow(self.header.skip_eagerly(exc))
        return result

    def __repr__(self) -> str:
        return f"chord({self.header.tasks!r}, {self.body!r})"


def _header_error(header: GroupResult) -> ChordError | None:
    """Return the error with which the body fails; None if no task of the header failed."""
    leaves = list(header.leaves())
    for leaf in (*leaves_before(leaves), *leaves):
        if leaf.known_failure:
            return chord_error(leaf.id, leaf.result)
    return None
