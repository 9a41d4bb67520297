"""The base of chains, groups and chords: `Compound`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, Self, TypeVar, Unpack

from ..execution.context import current_run
from ..result import GroupResult, ResultBase
from ..result.app import App
from ..result.dispatch import Dispatch
from ..sending.call_options import CanvasOptions
from ..sending.options import NO_OPTIONS, Options
from ..transactions.joining import joining
from .again import free_ids, taken
from .eager import StepContext
from .signature import Signature, maybe_signature

Out = TypeVar("Out", bound=ResultBase)
"""The result of the canvas. A chain without steps has none: it returns None all the same."""


class Compound(Signature, Generic[Out]):
    """A signature that is made of others, of which it has its own copies.

    Arguments of a call go at once to those of them that run first. Options are kept until it is
    sent.
    """

    own_app: App | None = None

    def parts(self) -> list[Signature]:
        """Return the signatures that it is made of."""
        raise NotImplementedError

    def replace_parts(self, change: Callable[[Any], Any]) -> None:
        """Replace each part by `change(part)`."""
        raise NotImplementedError

    @property
    def app(self) -> App:
        """Return the application: the one it was made with, that of a part, or the current one."""
        if self.own_app is None:
            self.own_app = next(
                (part.own_app for part in self.parts() if part.own_app is not None), None
            )
        return super().app

    def leaves(self) -> Iterator[Signature]:
        """Yield the calls of single tasks that it is made of, in order."""
        for part in self.parts():
            yield from part.leaves()

    def holders(self) -> Iterator[Signature]:
        for part in self.parts():
            yield from part.holders()

    def own_copy(self) -> Self:
        copy = super().own_copy()
        copy.replace_parts(lambda part: part.own_copy())
        return copy

    def _restore(self, app: App | None) -> None:
        super()._restore(app)
        self.replace_parts(lambda part: maybe_signature(part, app) if part else part)

    # making the call

    def __call__(self, *args: Any, **kwargs: Any) -> Out:
        """Send it, as `delay` does: a canvas cannot be a plain function."""
        return self.apply_async(args, kwargs)

    def delay(self, *args: Any, **kwargs: Any) -> Out:  # type: ignore[override]
        """Send it, with `args` and `kwargs` for what runs first."""
        return self.apply_async(args, kwargs)

    def adelay(self, *args: Any, **kwargs: Any) -> Dispatch[Out, Any]:  # type: ignore[override]
        """Send it in a coroutine: `result = await chain(...).adelay()`."""
        return self.aapply_async(args, kwargs)

    def aapply_async(  # type: ignore[override]
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CanvasOptions],
    ) -> Dispatch[Out, Any]:
        """Send it in a coroutine, with the options of `apply_async`."""
        return Dispatch(self._asend(args, kwargs, options))

    def apply_async(  # type: ignore[override]
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CanvasOptions],
    ) -> Out:
        """Send it; return the result of what comes last in it, None if it has no tasks.

        `args` and `kwargs` are for what runs first, and so are `options` except `link`,
        `link_error` and `task_id`. A frozen one runs under the ids that it has, but only once:
        sent again, it is another run. If there is a task of the given `task_id` that has not
        finished, nothing is sent, and the result is a `duplicate`.
        """
        app = self.app
        if options and (block := joining(app, options)):
            with block:
                return self.apply_async(args, kwargs, **options)
        ready = self.prepared(args, kwargs, options)
        if not app.conf.task_always_eager:
            if (id := options.get("task_id")) and taken(app, [id]):
                known: Out = _duplicate(ready.freeze())
                return known
            free_ids(app, ready)
        result = ready.freeze()
        if result is None:
            return result
        if app.conf.task_always_eager:
            result = ready._apply(None)
        else:
            app.send_canvas(ready, result)
            result = _answer(result)
        self.mark_sent()
        sender = current_run()
        if sender is not None:
            sender.children.append((*result.ancestors(), result)[0])
        return result

    def apply(  # type: ignore[override]
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        throw: bool | None = None,
        **options: Unpack[CanvasOptions],
    ) -> Out:
        """Run all of it in this process, as `Task.apply` does; return the result of what comes
        last."""
        root_id, parent_id = options.pop("root_id", None), options.pop("parent_id", None)
        ready = self.prepared(args, kwargs, options)
        result = ready.freeze()
        if result is None:
            return result
        return ready._apply(throw, root_id, parent_id)

    def prepared(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        options: Options = NO_OPTIONS,
    ) -> Self:
        """Return a copy in which arguments and options are with the tasks that they are for."""
        ready = self.own_copy()
        ready._settle()
        if args or kwargs:
            ready.add_args(args or (), kwargs or {})
        ready.set_options(options)
        return ready

    def as_step(self) -> Signature:
        """Return a copy of it, in which arguments and options are with the tasks."""
        return self.prepared()

    def _settle(self) -> None:
        """Move arguments and options that were set on it, or on a canvas in it, to the tasks."""
        for part in self.parts():
            if isinstance(part, Compound):
                part._settle()
        args, self.args = self.args, ()
        options, self.options = self.options, {}
        if args:
            self.add_args(args, {})
        if options:
            self.set_options(options)

    def _apply(
        self, throw: bool | None, root_id: str | None = None, parent_id: str | None = None
    ) -> Out:
        sender = current_run()
        if root_id is None and sender is not None:
            root_id, parent_id = sender.root_id, sender.id
        elif root_id is None:
            root_id = next((leaf.id for leaf in self.leaves()), None)
        result: Out = _answer(self.run_eagerly((), StepContext(throw, root_id, parent_id)))
        return result

    # ids

    def freeze(  # type: ignore[override]
        self,
        _id: str | None = None,
        group_id: str | None = None,
        chord: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        group_index: int | None = None,
    ) -> Out:
        """Give all its tasks the ids under which they will run; return the result of what comes
        last.

        `_id` is for what comes last. Tasks that have ids keep them, unless they were sent under
        them. Where two have the same id, because a signature was used twice, only the first one
        keeps it.
        """
        seen: set[str] = set()
        for holder in self.holders():
            id = holder.id
            if id is None:
                continue
            if id in seen or holder.was_sent:
                del holder.options["task_id"]
            seen.add(id)
        return self.freeze_parts(_id, root_id, parent_id)

    def freeze_parts(self, id: str | None, root_id: str | None, parent_id: str | None) -> Out:
        """Freeze the parts; return the result of what comes last, which gets `id`."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.parts()))})"


def _duplicate(result: Any) -> Any:
    result.duplicate = True
    return result


def _answer(result: Any) -> Any:
    """Return `result`; of a group whose only member ends in a group, that of the inner group."""
    while isinstance(result, GroupResult) and len(result) == 1 and result[0].members() is not None:
        (result,) = result
    return result
