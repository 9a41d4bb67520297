"""A call to make later: `Signature`.

A signature is a dict, so that it can be an argument of a task, be stored, and be sent as JSON.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Self, Unpack

from ..exceptions import NotRegistered
from ..model.message import new_id
from ..result import AsyncResult, ResultBase
from ..result.app import App, get_current_app
from ..sending.call_options import ApplyOptions, CanvasOptions, SignatureOptions
from ..sending.options import LINKS
from .asyncsending import AsyncSending
from .attributes import Item, Option
from .eager import StepContext, failed_result, skipped_result
from .stamping import StampingVisitor, only_stamps, stamp_links, stamps_of
from .values import as_list, unshared


class Signature(AsyncSending):
    """The task, arguments and options of a call that is made later, perhaps in another process.

    `task`: a task, its name, or a dict that was a signature. Arguments of the call go before
    `args` and override `kwargs`; an immutable signature ignores them.
    """

    TYPES: ClassVar[dict[str, type["Signature"]]] = {}
    """Kinds of signatures by their `subtask_type`."""

    task: "Item[str]" = Item("task")
    name: "Item[str]" = Item("task")
    args: "Item[tuple[Any, ...]]" = Item("args")
    kwargs: "Item[dict[str, Any]]" = Item("kwargs")
    options: "Item[dict[str, Any]]" = Item("options")
    subtask_type: "Item[str | None]" = Item("subtask_type")
    immutable: "Item[bool]" = Item("immutable")
    id: "Option[str]" = Option("task_id")
    parent_id: "Option[str]" = Option("parent_id")
    root_id: "Option[str]" = Option("root_id")

    own_app: App | None = None  # the one it was made with
    sent_as: str | None = None  # the id under which a canvas that it is in was sent

    def __init__(
        self,
        task: Any = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        type: Any = None,
        subtask_type: str | None = None,
        immutable: bool = False,
        app: App | None = None,
        **more_options: Unpack[CanvasOptions],
    ) -> None:
        if app is not None:
            self.own_app = app
        if isinstance(task, dict):
            super().__init__(task)
            return
        name = getattr(task, "name", task)
        if type is not None:
            name = type.name
        super().__init__(
            task=name,
            args=tuple(args or ()),
            kwargs=dict(kwargs or {}),
            options={**(options or {}), **more_options},
            subtask_type=subtask_type,
            immutable=immutable,
        )

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any], app: App | None = None) -> "Signature":
        """Return the signature that `fields` were, of its own class, and those within it too."""
        kind = cls.TYPES.get(fields.get("subtask_type") or "", Signature)
        made: Signature = dict.__new__(kind)
        Signature.__init__(
            made,
            fields["task"],
            fields.get("args"),
            fields.get("kwargs"),
            fields.get("options"),
            subtask_type=fields.get("subtask_type"),
            immutable=bool(fields.get("immutable")),
            app=app,
        )
        made._restore(app)
        return made

    def _restore(self, app: App | None) -> None:
        """Turn dicts within it that were signatures into signatures."""
        for name in LINKS:
            if name in self.options:
                self.options[name] = [maybe_signature(x, app) for x in as_list(self.options[name])]

    # copies and changes

    def clone(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[SignatureOptions],
    ) -> Self:
        """Return a copy with `args` before its own, and `kwargs` and `options` over them.

        A change of the copy, of its callbacks or of lists and dicts in its arguments does not
        reach the original.
        """
        copy = self.own_copy()
        for leaf in copy.leaves():
            leaf.args, leaf.kwargs = unshared(leaf.args), unshared(leaf.kwargs)
        if args or kwargs:
            copy.add_args(args, kwargs or {})
        return copy.set(**options) if options else copy

    partial = clone

    def replace(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return a copy with `args`, `kwargs` and `options` in place of its own, where given."""
        copy = self.clone()
        if args is not None:
            copy.args = tuple(args)
        if kwargs is not None:
            copy.kwargs = dict(kwargs)
        if options is not None:
            copy.options = dict(options)
        return copy

    def set(self, immutable: bool | None = None, **options: Unpack[CanvasOptions]) -> Self:
        """Set options of the call; return the signature itself."""
        if immutable is not None:
            self.set_immutable(immutable)
        id = options.pop("task_id", None)
        if id is not None:
            self.id = id
        self.options.update(options)
        return self

    def set_immutable(self, immutable: bool) -> None:
        """Set whether it ignores arguments of the call."""
        self.immutable = immutable

    def freeze(
        self,
        _id: str | None = None,
        group_id: str | None = None,
        chord: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        group_index: int | None = None,
    ) -> AsyncResult[Any]:
        """Give it the id under which it will run: `_id`, its own or a new one.

        Return the result of that run.
        """
        options = self["options"]  # by key, which is quicker than by attribute: a group has many
        if group_id is not None:
            options["group_id"] = group_id
        if chord is not None:
            options["chord"] = chord
        if root_id is not None:
            options["root_id"] = root_id
        if parent_id is not None:
            options["parent_id"] = parent_id
        if group_index is not None:
            options["group_index"] = group_index
        id = options["task_id"] = _id or options.get("task_id") or new_id()
        return AsyncResult(id, app=self.own_app)

    # callbacks, errbacks and chains

    def link(self, callback: Any) -> Any:
        """Have `callback` called with its value when it has succeeded; return the callback."""
        return self._link("link", callback)

    def link_error(self, errback: Any) -> Any:
        """Have `errback` called when it has failed; return the errback.

        An errback that takes several arguments is called with the request, the exception and the
        traceback; one that takes a single argument, or is bound, with the id of the task.
        """
        return self._link("link_error", errback)

    def on_error(self, errback: Any) -> Self:
        """Do the same as `link_error`, but return the signature itself."""
        self.link_error(errback)
        return self

    def flatten_links(self) -> list["Signature"]:
        """Return the signature, its callbacks, their callbacks, and so on."""
        return [self, *(each for link in self.links("link") for each in link.flatten_links())]

    def __or__(self, other: object) -> "Signature":  # type: ignore[override] # no union of dicts
        joined: Signature = self.TYPES["chain"].join(self, other)  # type: ignore[attr-defined]
        return joined

    def __ror__(self, other: object) -> "Signature":  # type: ignore[override]
        return as_signature(other) | self

    def __ior__(self, other: object) -> Any:  # a Signature, not itself
        return self | other

    def stamp(
        self, visitor: StampingVisitor | None = None, append_stamps: bool = False, **stamps: Any
    ) -> Self:
        """Stamp it, its callbacks and its errbacks with `stamps`, and with what `visitor` returns.

        A task reads them as `self.request.stamps`. `append_stamps`: put a stamp beside one of the
        same name, instead of over it.
        """
        stamps = only_stamps(stamps)
        stamp_links(self, visitor, append_stamps, stamps)
        more = {} if visitor is None else only_stamps(visitor.on_signature(self, **stamps))
        return self.set(**stamps_of(self.options, {**stamps, **more}, append_stamps))

    def links(self, name: str) -> list["Signature"]:
        """Return its callbacks or its errbacks, by the `name` of the option: `link`, `link_error`.

        Those that were given as tasks or dicts become signatures, so that a change of one counts.
        """
        if name not in self.options:
            return []
        found = [as_link(each, self.own_app) for each in as_list(self.options[name])]
        self.options[name] = found
        return found

    # making the call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the task in this process, as a plain function; return its value."""
        args, kwargs, _ = self._merged(args, kwargs, {})
        return self.type(*args, **kwargs)

    def delay(self, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
        """Send it, with `args` before its own and `kwargs` over its own."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CanvasOptions],
    ) -> AsyncResult[Any]:
        """Send it, with the options of `Task.apply_async`. A frozen one keeps its id."""
        args, kwargs, merged = self._merged(args, kwargs, options)
        result: AsyncResult[Any] = self._sender()(args, kwargs, **merged)
        self._mark_links_sent()
        return result

    _plain_apply_async = apply_async  # to tell whether a subclass has its own

    def apply(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[ApplyOptions],
    ) -> AsyncResult[Any]:
        """Run it in this process, as `Task.apply` does."""
        args, kwargs, merged = self._merged(args, kwargs, options)
        result: AsyncResult[Any] = self.type.apply(args, kwargs, **merged)
        return result

    def __invert__(self) -> Any:
        """Send it, wait for its value and return that: `~add.s(2, 2)`."""
        return self.apply_async().get()

    @property
    def app(self) -> App:
        """Return the application: the one it was made with, else the current one."""
        return self.own_app or get_current_app()

    @property
    def type(self) -> Any:
        """Return the task. Raises NotRegistered when the application does not have it."""
        return self.app.tasks[self.task]

    def _sender(self) -> Callable[..., AsyncResult[Any]]:
        try:
            sender: Callable[..., AsyncResult[Any]] = self.type.apply_async
        except NotRegistered:
            sender = partial(self.app.send_task, self.task)
        return sender

    def _merged(
        self, args: Sequence[Any], kwargs: Mapping[str, Any] | None, options: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
        """Return its arguments and options, merged with those of a call."""
        merged = self.options.copy()
        if options:
            links = {
                name: [*as_list(self.options[name]), *as_list(options[name])]
                for name in LINKS
                if name in options and name in self.options
            }
            merged |= {**options, **links}
        if self.immutable:
            return tuple(self.args), dict(self.kwargs), merged
        return (*(args or ()), *self.args), {**self.kwargs, **(kwargs or {})}, merged

    # the interface for canvases, which other kinds of signatures override

    def leaves(self) -> Iterator["Signature"]:
        """Yield the calls of single tasks that it is made of, in order."""
        yield self

    def holders(self) -> Iterator["Signature"]:
        """Yield the tasks and groups that it is made of: each has an id of its own."""
        yield self

    @property
    def was_sent(self) -> bool:
        """Return whether it was sent, in a canvas, under the id that it has."""
        return self.sent_as is not None and self.sent_as == self.id

    def mark_sent(self) -> None:
        """Mark the ids in it and in its links as used, so that it gets others if sent again."""
        for holder in self.holders():
            if holder.options:  # without any it has neither an id nor links
                holder.sent_as = holder.id
                holder._mark_links_sent()

    def _mark_links_sent(self) -> None:
        for name in LINKS:
            for linked in self.links(name):
                linked.mark_sent()

    def own_copy(self) -> Self:
        """Return a copy with `kwargs`, `options`, callbacks and errbacks of its own.

        It shares the values of the arguments, which a canvas that is sent does not change.
        """
        copy = dict.__new__(type(self))
        copy.update(self)
        copy["kwargs"] = self.kwargs.copy()
        copy["options"] = unshared(self.options) if self.options else {}
        copy.own_app = self.own_app
        if self.sent_as is not None:
            copy.sent_as = self.sent_as
        return copy

    def as_step(self) -> "Signature":
        """Return the signature that takes its place in a canvas: a copy of it."""
        return self.own_copy()

    def add_args(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Add arguments of a call to its own, unless it is immutable."""
        self.args, self.kwargs, _ = self._merged(args, kwargs, {})

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Set options of a call; callbacks and errbacks are added to its own."""
        for name, value in options.items():
            if name in LINKS:
                for each in as_list(value):
                    self._link(name, each)
            else:
                self.set(**{name: value})

    def _link(self, name: str, callback: Any) -> Any:
        linked = as_link(callback, self.own_app)
        present = self.links(name)
        if linked not in present:
            self.options[name] = [*present, linked]
        return linked

    def run_eagerly(self, args: Sequence[Any], context: StepContext) -> ResultBase:
        """Run it in this process, under the id that it was frozen with; return the result."""
        args, kwargs, options = self._merged(args, None, context.options())
        result: ResultBase = self.type.apply(args, kwargs, **options)
        return result

    def skip_eagerly(self, exc: Exception | None) -> ResultBase:
        """Skip it, because what comes before it failed with `exc`; return the result."""
        return skipped_result(self, exc)

    def fail_eagerly(self, exc: Exception, context: StepContext) -> ResultBase:
        """Fail it with `exc` without running it, and call its errbacks; return the result."""
        return failed_result(self, exc, self.links("link_error"), context)

    # itself

    def __reduce__(self) -> Any:
        return Signature.from_dict, (dict(self),)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        from copy import deepcopy  # rare

        copy = self.own_copy()
        copy.args, copy.kwargs = deepcopy((copy.args, copy.kwargs), memo)
        return copy

    def __copy__(self) -> Self:
        return self.clone()

    def __repr__(self) -> str:
        shown = [*map(repr, self.args), *(f"{k}={v!r}" for k, v in self.kwargs.items())]
        return f"{self.task}({', '.join(shown)})"


def maybe_signature(value: Any, app: App | None = None, clone: bool = False) -> Any:
    """Return `value` as a signature if it is one, or a dict that was one; else as it is."""
    if isinstance(value, Signature):
        return value.clone() if clone else value
    if isinstance(value, dict) and "task" in value and "subtask_type" in value:
        return Signature.from_dict(value, app)
    return value


def as_signature(value: Any) -> Signature:
    """Return the signature that takes the place of `value` in a canvas: a copy of a signature, or
    that of a task, without arguments.

    Raises TypeError when `value` is neither.
    """
    found = maybe_signature(value)
    return found.as_step() if isinstance(found, Signature) else _of_task("a canvas", found)


def as_link(value: Any, app: App | None = None) -> Signature:
    """Return the signature that is meant by `value`, a callback or an errback: itself, or that of
    a task, without arguments.

    Raises TypeError when `value` is neither.
    """
    found = maybe_signature(value, app)
    return found if isinstance(found, Signature) else _of_task("a link", found)


def _of_task(what: str, value: Any) -> Signature:
    if not isinstance(value, dict | str) and hasattr(value, "s"):  # a task, or a proxy of one
        made: Signature = value.s()
        return made
    hint = f"; a task that is known by name only is signature({value!r})"
    raise TypeError(
        f"{what} is made of signatures, as in add.s(2, 2), or tasks, not of {value!r:.100}"
        f"{hint if isinstance(value, str) else ''}"
    )
