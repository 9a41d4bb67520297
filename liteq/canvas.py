"""Calls that are not made yet: `Signature`.

A signature is a dict, so that it can be an argument, be stored, and travel as JSON.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Self

from .current import get_current_app
from .exceptions import NotRegistered
from .message import new_id
from .result import AsyncResult


class _Item:
    """An attribute that is the item of the same name, or of `key`."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __get__(self, signature: "Signature | None", owner: type) -> Any:
        return self if signature is None else signature[self._key]

    def __set__(self, signature: "Signature", value: Any) -> None:
        signature[self._key] = value


class _Option:
    """An attribute that is an option of the call."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __get__(self, signature: "Signature | None", owner: type) -> Any:
        return self if signature is None else signature.options.get(self._key)

    def __set__(self, signature: "Signature", value: Any) -> None:
        signature.options[self._key] = value


class Signature(dict[str, Any]):
    """A task, arguments and options of a call that is made later, perhaps elsewhere.

    `task`: a task, its name, or a dict that was a signature. What the call brings along goes
    before `args` and over `kwargs`; an immutable signature takes nothing.
    """

    TYPES: ClassVar[dict[str, type["Signature"]]] = {}
    """Kinds of signatures by their `subtask_type`."""

    task = name = _Item("task")
    args = _Item("args")
    kwargs = _Item("kwargs")
    options = _Item("options")
    subtask_type = _Item("subtask_type")
    immutable = _Item("immutable")
    id = _Option("task_id")
    parent_id = _Option("parent_id")
    root_id = _Option("root_id")

    _app: Any = None

    def __init__(
        self,
        task: Any = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        type: Any = None,
        subtask_type: str | None = None,
        immutable: bool = False,
        app: Any = None,
        **more_options: Any,
    ) -> None:
        if app is not None:
            self._app = app
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
    def from_dict(cls, fields: Mapping[str, Any], app: Any = None) -> "Signature":
        """The signature that `fields` were, of the class that it had."""
        kind = cls.TYPES.get(fields.get("subtask_type") or "")
        if kind is not None and kind is not cls:
            return kind.from_dict(fields, app)
        return Signature(dict(fields), app=app)

    # another one like it

    def clone(
        self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Self:
        """A copy, with `args` before its own, and `kwargs` and `options` over them."""
        args, kwargs, options = self._merged(args, kwargs, options)
        copy = self.__class__({**self, "args": args, "kwargs": kwargs, "options": options})
        copy._app = self._app
        return copy

    partial = clone

    def replace(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Self:
        """A copy, with `args`, `kwargs` and `options` in place of its own, where given."""
        copy = self.clone()
        if args is not None:
            copy.args = tuple(args)
        if kwargs is not None:
            copy.kwargs = dict(kwargs)
        if options is not None:
            copy.options = dict(options)
        return copy

    def set(self, immutable: bool | None = None, **options: Any) -> Self:
        """Set options of the call; answers the signature itself."""
        if immutable is not None:
            self.immutable = immutable
        self.options.update(options)
        return self

    def set_immutable(self, immutable: bool) -> None:
        """Say whether it takes arguments of the call."""
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
        """Give it the id under which it will run, `_id` or one of its own; answer the result."""
        places = {
            "group_id": group_id,
            "chord": chord,
            "root_id": root_id,
            "parent_id": parent_id,
            "group_index": group_index,
        }
        self.options.update({key: value for key, value in places.items() if value is not None})
        self.id = _id or self.id or new_id()
        return AsyncResult(self.id, app=self._app)

    # making the call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task here, as a plain function; answer its value."""
        args, kwargs, _ = self._merged(args, kwargs, {})
        return self.type(*args, **kwargs)

    def delay(self, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
        """Send it, with `args` before its own and `kwargs` over them."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AsyncResult[Any]:
        """Send it, with options of `Task.apply_async`. A frozen one keeps its id."""
        args, kwargs, options = self._merged(args, kwargs, options)
        result: AsyncResult[Any] = self._sender()(args, kwargs, **options)
        return result

    def apply(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AsyncResult[Any]:
        """Run it here, as `Task.apply` does."""
        args, kwargs, options = self._merged(args, kwargs, options)
        result: AsyncResult[Any] = self.type.apply(args, kwargs, **options)
        return result

    def __invert__(self) -> Any:
        """Send it and wait for its value: `~add.s(2, 2)`."""
        return self.apply_async().get()

    @property
    def app(self) -> Any:
        """The application; the current one, unless another was given."""
        return self._app or get_current_app()

    @property
    def type(self) -> Any:
        """The task. Raises NotRegistered when the application does not have it."""
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
        """What comes of its own arguments and options and those of the call."""
        options = {**self.options, **options}
        if self.immutable:
            return tuple(self.args), dict(self.kwargs), options
        return (*(args or ()), *self.args), {**self.kwargs, **(kwargs or {})}, options

    # itself

    def __or__(self, other: object) -> Any:
        raise NotImplementedError("chains of signatures are not supported yet")

    __ror__ = __ior__ = __or__

    def __reduce__(self) -> Any:
        return Signature.from_dict, (dict(self),)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.clone()

    def __copy__(self) -> Self:
        return self.clone()

    def __repr__(self) -> str:
        shown = [*map(repr, self.args), *(f"{k}={v!r}" for k, v in self.kwargs.items())]
        return f"{self.task}({', '.join(shown)})"


def signature(
    task: Any,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    immutable: bool = False,
    app: Any = None,
    **more_options: Any,
) -> Signature:
    """The signature of a call of `task`: a task, its name, or a dict that was a signature.

    Keywords that are no arguments of this function are options of the call. A signature is copied.
    """
    if isinstance(task, Signature):
        return task.clone()
    if isinstance(task, dict):
        return Signature.from_dict(task, app)
    return Signature(task, args, kwargs, options, immutable=immutable, app=app, **more_options)


subtask = signature


def maybe_signature(value: Any, app: Any = None, clone: bool = False) -> Any:
    """`value` as a signature if it is one, or was one; anything else as it is."""
    if isinstance(value, Signature):
        return value.clone() if clone else value
    if isinstance(value, dict) and "task" in value and "subtask_type" in value:
        return Signature.from_dict(value, app)
    return value
