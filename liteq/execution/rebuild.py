"""Exceptions taken apart and built again, without running anything that their classes define.

What is built here comes from a store: its names, its arguments and its attributes may be anybody's.
So classes are only looked up, never imported; `__new__` and `__init__` are those of the built-in
class below; and everything is read and set by the descriptors of Python's own types, which no
class of the user's can replace.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from types import MemberDescriptorType, ModuleType, TracebackType
from typing import Any, TypeVar

from ..exceptions import RemoteError

E = TypeVar("E", bound=BaseException)

_HEAP_TYPE = 1 << 9  # the flag of classes that were made by a `class` statement, or as by one

# Attributes of built-in exceptions that their arguments do not give. Not the `obj` of an
# AttributeError: that is the object of the user's that lacks the attribute.
_OF_BUILTINS = ("filename", "filename2", "name", "path")

_descriptors: Mapping[str, Any] = vars(BaseException)
_dict_of, _args_of, _cause_of, _trace_of = (
    _descriptors[n] for n in ("__dict__", "args", "__cause__", "__traceback__")
)
_mro_of, _base_of, _flags_of = (vars(type)[n] for n in ("__mro__", "__base__", "__flags__"))
_name_of, _qualname_of, _module_of = (
    vars(type)[n] for n in ("__name__", "__qualname__", "__module__")
)
_names_of_class, _names_of_module = vars(type)["__dict__"], vars(ModuleType)["__dict__"]


# apart


def args_of(exc: BaseException) -> tuple[Any, ...]:
    """Return the arguments of `exc`."""
    args: tuple[Any, ...] = _args_of.__get__(exc)
    return args


def cause_of(exc: BaseException) -> BaseException | None:
    """Return the `__cause__` of `exc`."""
    cause: BaseException | None = _cause_of.__get__(exc)
    return cause


def trace_of(exc: BaseException) -> TracebackType | None:
    """Return the `__traceback__` of `exc`."""
    trace: TracebackType | None = _trace_of.__get__(exc)
    return trace


def attributes_of(exc: BaseException) -> dict[str, Any]:
    """Return the attributes of `exc` that its arguments do not give, those in slots too."""
    own = _dict_of.__get__(exc)
    found = {name: value for name, value in own.items() if name.isidentifier()}
    for name, member in _members(type(exc)).items():
        with suppress(AttributeError):  # it was never set
            value = member.__get__(exc)
            if value is not None or name not in _OF_BUILTINS:
                found[name] = value
    return found


def name_of(cls: type) -> str:
    """Return the `__name__` of `cls`."""
    name: str = _name_of.__get__(cls)
    return name


def full_name_of(cls: type) -> tuple[str, str]:
    """Return the names of the module of `cls`, and of `cls` within it."""
    module = _module_of.__get__(cls)
    return module if type(module) is str else "?", _qualname_of.__get__(cls)


def is_a(exc: BaseException, cls: type[BaseException]) -> bool:
    """Return whether `exc` is of `cls`, as `except` tells: `isinstance` asks for `__class__`."""
    return _derives(type(exc), cls)


def bases_of(cls: type[BaseException]) -> Iterator[type[BaseException]]:
    """Yield `cls` and its base classes that `except` may name, the nearest first."""
    for base in _mro_of.__get__(cls):
        # A RemoteError has these by itself.
        if _derives(base, Exception) and not _derives(RemoteError, base):
            yield base


# and together


def known_class(module: str, qualname: str) -> type[Exception] | None:
    """Return the class if its module is imported already and it is an Exception.

    Both names come from the store, so nothing may run for them: not `getattr`, by which a module
    may import others and an object runs its properties, nor `isinstance`, which asks an object for
    its `__class__`. A SystemExit of a task must not end the program that asks for its result.
    """
    found: Any = sys.modules.get(module)
    for name in qualname.split("."):
        if not issubclass(type(found), ModuleType | type):
            return None
        is_class = issubclass(type(found), type)
        found = (_names_of_class if is_class else _names_of_module).__get__(found).get(name)
    is_class = issubclass(type(found), type)
    return found if is_class and _derives(found, Exception) else None


def build(cls: type[E], args: Sequence[Any]) -> E:
    """Return an exception of `cls` with `args`.

    Raises TypeError, or another error of the built-in class, when that does not take them, or
    when `cls` is written in C and cannot be made but by its own constructor.
    """
    builtin: Any = cls
    while _flags_of.__get__(builtin) & _HEAP_TYPE:
        builtin = _base_of.__get__(builtin)
    exc: E = builtin.__new__(cls, *args)
    if type(exc) is not cls:  # OSError makes others by the number of the error
        raise TypeError(f"{cls} makes another class")
    builtin.__init__(exc, *args)  # it sets what a UnicodeError consists of
    return exc


def set_attributes(exc: BaseException, attributes: Mapping[str, Any]) -> None:
    """Set `attributes` of `exc`, running no property and no `__setattr__`."""
    members = _members(type(exc))
    for name, value in attributes.items():
        if name not in members:
            _dict_of.__get__(exc)[name] = value
            continue
        with suppress(TypeError, AttributeError):  # a class of another version: of another type
            members[name].__set__(exc, value)


def set_cause(exc: BaseException, cause: BaseException) -> None:
    """Set the `__cause__` of `exc`."""
    _cause_of.__set__(exc, cause)


def add_note(exc: BaseException, note: str) -> None:
    """Add `note`, after those that `exc` has."""
    notes = _dict_of.__get__(exc).get("__notes__")
    _dict_of.__get__(exc)["__notes__"] = [*notes, note] if isinstance(notes, list) else [note]


def build_remote(name: str, text: str, bases: Iterable[type] = ()) -> RemoteError:
    """Return a RemoteError called `name` that also derives from the first possible of `bases`."""
    for base in bases:
        # A class may want to know its subclasses: that would run code of its own.
        if type(base) is type and not _notices_subclasses(base):
            with suppress(Exception):  # one that takes no base beside it, or not just a text
                return build(_remote_class(name, base), (text,))
    return _remote_class(name, None)(text)


def _notices_subclasses(cls: type) -> bool:
    return any(
        "__init_subclass__" in _names_of_class.__get__(base) for base in _mro_of.__get__(cls)[:-1]
    )


@lru_cache(256)  # one class for each name, so that `except` catches it again; and a bound
def _remote_class(name: str, base: type | None) -> type[RemoteError]:
    bases: tuple[type, ...] = (RemoteError,) if base is None else (RemoteError, base)
    return type(name, bases, {"__doc__": RemoteError.__doc__, "__module__": __name__})


def _derives(cls: type, base: type) -> bool:
    """Return whether `base` is `cls` or one of its base classes, without asking either."""
    return any(each is base for each in _mro_of.__get__(cls))


def _members(cls: type[BaseException]) -> dict[str, MemberDescriptorType]:
    return {
        name: member
        for base in reversed(_mro_of.__get__(cls))
        for name, member in _names_of_class.__get__(base).items()
        if type(member) is MemberDescriptorType
        and (_flags_of.__get__(base) & _HEAP_TYPE or name in _OF_BUILTINS)
    }
