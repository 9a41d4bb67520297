"""Tasks that take and return models of pydantic, for `pydantic=True`."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache, wraps
from importlib import import_module
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from ..exceptions import ImproperlyConfigured
from ..support.coroutines import COROUTINE
from ..support.warning import warn

Function = Callable[..., Any]


class _Models(NamedTuple):
    """The models that a function takes, by parameter, and the one that it returns."""

    taken: dict[str, "_Model"]
    returned: "_Model | None"


class _Model(NamedTuple):
    kind: Any
    optional: bool


def with_models(
    function: Function,
    name: str,
    app: object,
    *,
    strict: bool = False,
    context: Mapping[str, Any] | None = None,
    dump_kwargs: Mapping[str, Any] | None = None,
) -> Function:
    """Return `function` of the task `name`, to be called with models or with what they dump to.

    It gets models where its annotations say so, validated with `strict` and with `context`, to
    which "celery_app" and "celery_task_name" are added. If it returns a model of the class that it
    is annotated with, the value is what the model dumps, with the keywords `dump_kwargs`.

    Raises ImproperlyConfigured when pydantic is not installed.
    """
    base = _base_model(name)
    signature = inspect.signature(function)
    context = {**(context or {}), "celery_app": app, "celery_task_name": name}
    dump_kwargs = {"mode": "json", **(dump_kwargs or {})}

    @cache  # at the first call: until then, a module may define what its annotations name
    def models() -> _Models:
        return _models_of(function, signature, base, name)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        taken = models().taken
        bound = signature.bind(*args, **kwargs)
        for parameter, value in bound.arguments.items():
            model = taken.get(parameter)
            if model is not None and not (value is None and model.optional):
                bound.arguments[parameter] = model.kind.model_validate(
                    value, strict=strict, context=context
                )
        value = function(*bound.args, **bound.kwargs)
        return awaited(value) if value.__class__ is COROUTINE else dumped(value)

    def dumped(value: Any) -> Any:
        returned = models().returned
        if returned is not None and isinstance(value, returned.kind):
            return value.model_dump(**dump_kwargs)
        return value

    async def awaited(work: Any) -> Any:
        return dumped(await work)

    call.__signature__ = signature  # type: ignore[attr-defined] # by which arguments are checked
    return call


def _base_model(task: str) -> Any:
    try:
        return import_module("pydantic").BaseModel
    except ModuleNotFoundError as exc:
        raise ImproperlyConfigured(
            f"task {task}: pydantic=True needs pydantic: pip install pydantic"
        ) from exc


def _models_of(function: Function, signature: inspect.Signature, base: Any, task: str) -> _Models:
    names = getattr(inspect.unwrap(function), "__globals__", {})

    def model_of(annotation: Any, what: str) -> _Model | None:
        try:
            holder = SimpleNamespace(__annotations__={what: annotation})
            hint = get_type_hints(holder, globalns=names)[what]
        except (NameError, AttributeError, TypeError, SyntaxError) as exc:
            warn(
                f"task {task}: the annotation {annotation!r} of {what} cannot be resolved, so that "
                f"it is taken for no model: {exc}",
            )
            return None
        return _model(hint, base)

    found = {
        each.name: model_of(each.annotation, each.name)
        for each in signature.parameters.values()
        if each.annotation is not each.empty
        and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    }
    taken = {name: model for name, model in found.items() if model is not None}
    annotation = signature.return_annotation
    returned = None if annotation is signature.empty else model_of(annotation, "return")
    return _Models(taken, returned)


def _model(hint: Any, base: Any) -> _Model | None:
    """Return the model that `hint` is, also as `Model | None`; None for anything else."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    optional = NoneType in kinds
    kinds = tuple(kind for kind in kinds if kind is not NoneType)
    if len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], base):
        return _Model(kinds[0], optional)
    return None
