"""Key templates: texts such as `acct:{account}`, which name parameters of a task.

The key of a call has the values of its arguments in their place. So the keys of two calls are equal
if the arguments are that matter, whoever sends them, and in whatever form they are passed.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time
from enum import Enum
from types import CodeType, MethodType
from typing import Any, NamedTuple

from ..exceptions import InvalidTaskError

LONGEST_KEY = 200
"""Characters that a key may have."""

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_VARKEYWORDS = 0x08  # a flag of code objects
_MISSING: Any = object()


class KeyTemplate(NamedTuple):
    """A key template, read from a text: `texts` stand around the values of `names`."""

    text: str  # as it was given
    texts: tuple[str, ...]  # one more than there are names
    names: tuple[str, ...] = ()  # of parameters

    @property
    def shape(self) -> str:
        """Return the template with `{}` for each parameter, whatever its name in this task."""
        return "{}".join(self.texts)

    def key(self, values: Sequence[Any]) -> str:
        """Return the key for the values of `names`, in their order.

        Raises InvalidTaskError for a value that is none to compare by, or a key that is none.
        """
        found = [self.texts[0]]
        for name, value, text in zip(self.names, values, self.texts[1:], strict=True):
            found += (self._text_of(name, value), text)
        return check_key("".join(found), f"the key {self.text!r} of this call")

    def _text_of(self, name: str, value: Any) -> str:
        match value:
            case str():
                return str.__str__(value)
            case Enum():
                return self._text_of(name, value.value)
            case None | bool() | int() | float():
                return str(value)
            case date() | time():
                return value.isoformat()
        kind = type(value)
        has_text: bool = kind.__str__ is not object.__str__  # type: ignore[comparison-overlap]
        if not has_text or isinstance(value, _NO_TEXTS):
            raise InvalidTaskError(
                f"{{{name}}} in the key {self.text!r} is a {kind.__name__}, and such values are "
                f"not compared: name a parameter that is a text, a number or an id"
            )
        return str(value)


_NO_TEXTS = (bytes, bytearray, list, tuple, dict, set, frozenset)


def check_key(key: Any, what: str = "a key") -> str:
    """Return `key`. Raises InvalidTaskError, which calls it `what`, if it cannot be one."""
    if isinstance(key, str) and 0 < len(key) <= LONGEST_KEY and key.isprintable():
        return str.__str__(key)
    raise InvalidTaskError(f"{what} is {key!r:.300}: give 1 to {LONGEST_KEY} printable characters")


def parse(text: Any) -> KeyTemplate:
    """Return the template that is written as `text`; `{{` and `}}` are braces of the key itself.

    Raises InvalidTaskError for one that is none.
    """
    texts, names, end = [""], [], 0
    checked = check_key(text, "a key template")
    for part in _PART.finditer(checked):
        texts[-1] += checked[end : part.start()]
        end = part.end()
        if part[0] in ("{{", "}}"):
            texts[-1] += part[0][0]
        elif part[1] is not None and part[1].isidentifier():
            names.append(part[1])
            texts.append("")
        else:
            raise InvalidTaskError(
                f"the key {checked!r} has {part[0]!r}: in braces stands the name of a parameter, "
                f"as in 'acct:{{account}}'; write {{{{ and }}}} for braces of the key itself"
            )
    texts[-1] += checked[end:]
    return KeyTemplate(checked, tuple(texts), tuple(names))


class Arguments:
    """The parameters `names` of `function`, whose values it finds among the arguments of a call.

    Raises InvalidTaskError, which calls the function `what`, for a parameter that it has not.
    """

    def __init__(self, function: Callable[..., Any], names: Sequence[str], what: str) -> None:
        self._what = what
        positional, defaults, has_more = _parameters(function)
        unknown = [name for name in names if name not in defaults and not has_more]
        if unknown:
            known = ", ".join(defaults) or "none"
            raise InvalidTaskError(
                f"{what} has no parameter {unknown[0]!r}, which a key of it names; its parameters "
                f"are: {known}"
            )
        places = {name: place for place, name in enumerate(positional)}
        self._wanted = [(n, places.get(n, -1), defaults.get(n, _MISSING)) for n in names]

    def values(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """Return their values. Raises InvalidTaskError when one is not given."""
        found = []
        for name, place, default in self._wanted:
            if 0 <= place < len(args):
                value = args[place]
            else:
                value = kwargs.get(name, default)
            if value is _MISSING:
                raise InvalidTaskError(
                    f"{self._what} is sent without {name!r}, which a key of it names: pass it, or "
                    f"give the parameter a default"
                )
            found.append(value)
        return found


def _parameters(function: Callable[..., Any]) -> tuple[list[str], dict[str, Any], bool]:
    """Return the names of the positional parameters, the defaults of all (`_MISSING` for none), and
    whether any other name is accepted."""
    bound = isinstance(function, MethodType)
    plain: Any = function.__func__ if isinstance(function, MethodType) else function
    code = getattr(plain, "__code__", None)
    if isinstance(code, CodeType) and not hasattr(
        plain, "__signature__"
    ):  # saves an import of 9 ms
        names = code.co_varnames[bound : code.co_argcount]
        keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        defaults: dict[str, Any] = dict.fromkeys((*names, *keywords), _MISSING)
        given = plain.__defaults__ or ()
        defaults.update(zip(names[len(names) - len(given) :], given, strict=False))
        defaults.update(plain.__kwdefaults__ or {})
        return list(names), defaults, bool(code.co_flags & _VARKEYWORDS)
    from inspect import Parameter, signature

    try:
        parameters = signature(function, follow_wrapped=False).parameters.values()
    except ValueError:  # a builtin without a signature
        return [], {}, True
    by_position = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    stars = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return (
        [each.name for each in parameters if each.kind in by_position],
        {
            each.name: _MISSING if each.default is Parameter.empty else each.default
            for each in parameters
            if each.kind not in stars
        },
        any(each.kind is Parameter.VAR_KEYWORD for each in parameters),
    )
