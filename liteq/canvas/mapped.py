"""Signatures of one task for many items: `xmap`, `xstarmap`, `chunks`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Unpack

from ..result import GroupResult
from ..result.app import App
from ..result.dispatch import Dispatch
from ..sending.call_options import ApplyOptions, CanvasOptions
from .builtins import MAP, STARMAP
from .group import group
from .signature import Signature, as_signature


class _Mapped(Signature):
    """A task that calls another one, in the same process, for each item of a list."""

    kind: ClassVar[str]  # its `subtask_type`
    builtin: ClassVar[str]  # the name of the task that calls the other one

    def __init__(
        self,
        task: Any,
        it: Iterable[Any],
        app: App | None = None,
        **options: Unpack[CanvasOptions],
    ) -> None:
        call = as_signature(task)
        super().__init__(
            self.builtin,
            (),
            {"task": call, "it": list(it)},
            options,
            subtask_type=self.kind,
            immutable=True,
            app=app or call.own_app,
        )

    def _restore(self, app: App | None) -> None:
        super()._restore(app)
        self.kwargs["task"] = as_signature(self.kwargs["task"])

    def __repr__(self) -> str:
        return f"[{self.kwargs['task'].task}(x) for x in {self.kwargs['it']!r}]"


class xmap(_Mapped):  # noqa: N801 - Celery's name
    """`[task(item) for item in it]` as one task."""

    kind = "xmap"
    builtin = MAP


class xstarmap(_Mapped):  # noqa: N801 - Celery's name
    """`[task(*item) for item in it]` as one task."""

    kind = "xstarmap"
    builtin = STARMAP


class chunks(Signature):  # noqa: N801 - Celery's name
    """A group of `xstarmap` tasks, each for `n` items of `it`. In a canvas it is that group."""

    def __init__(
        self,
        task: Any,
        it: Iterable[Any],
        n: int,
        app: App | None = None,
        **options: Unpack[CanvasOptions],
    ) -> None:
        call = as_signature(task)
        super().__init__(
            "celery.chunks",
            (),
            {"task": call, "it": list(it), "n": n},
            options,
            subtask_type="chunks",
            immutable=True,
            app=app or call.own_app,
        )

    def group(self) -> group:
        """Return the group that it stands for."""
        task, it, n = (self.kwargs[name] for name in ("task", "it", "n"))
        parts = [it[start : start + n] for start in range(0, len(it), n)]
        return group([xstarmap(task, part) for part in parts], app=self.own_app, **self.options)

    def as_step(self) -> Signature:
        return self.group()

    def __call__(self, **options: Unpack[CanvasOptions]) -> GroupResult:
        """Send the group."""
        return self.apply_async(**options)

    def apply_async(  # type: ignore[override]
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CanvasOptions],
    ) -> GroupResult:
        """Send the group."""
        return self.group().apply_async(args, kwargs, **options)

    def apply(  # type: ignore[override]
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[ApplyOptions],
    ) -> GroupResult:
        """Run the group in this process."""
        return self.group().apply(args, kwargs, **options)

    def delay(self, *args: Any, **kwargs: Any) -> GroupResult:  # type: ignore[override]
        """Send the group."""
        return self.apply_async(args, kwargs)

    def adelay(  # type: ignore[override]
        self, *args: Any, **kwargs: Any
    ) -> Dispatch[GroupResult, list[Any]]:
        """Send the group, in a coroutine."""
        return Dispatch(self._asend(args, kwargs, {}))

    def freeze(self, *args: Any, **kwargs: Any) -> Any:
        """Raise TypeError: freeze its `group()`, which keeps the ids."""
        raise TypeError("chunks have no ids of their own: freeze what .group() returns")
