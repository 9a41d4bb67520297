"""Read what a pickle says without doing it.

A pickle is a program that can call any function, and can make its reader claim all memory or time.
Here its instructions are followed on values that only stand for what it would make: nothing is
imported, called, hashed or copied, so each instruction takes a bounded time and space.
"""

import io
import pickletools
from collections.abc import Callable
from typing import Any, NamedTuple

_MOST = 20_000  # instructions: 50 ms


class Items(NamedTuple):
    """Stand for a list, a tuple, a set or a frozenset, by its brackets."""

    open: str
    close: str
    items: list[Any]


class Pairs(NamedTuple):
    """Stand for a dict."""

    pairs: list[tuple[Any, Any]]


class Named(NamedTuple):
    """Stand for a class or function."""

    name: str  # with its module, unless that is `builtins`


class Made(NamedTuple):
    """Stand for what a class or function makes of its arguments, and what is then put into it."""

    what: Any  # Named, in a pickle that Python has made
    args: list[Any]
    states: list[Any]  # of its attributes: dicts, or pairs of them, or anything else
    items: list[Any]


def read_pickle(data: bytes) -> Any:
    """Return what stands for the value of a pickle: plain values, and the classes above.

    Raises ValueError for what is no pickle, or one with too many instructions.
    """
    reader = _Reader()
    try:
        for number, (opcode, arg, _) in enumerate(pickletools.genops(io.BytesIO(data))):
            if number > _MOST:
                raise ValueError(f"it has more than {_MOST} instructions")
            reader.follow(opcode.name, arg)
        return reader.stack.pop()
    except (AttributeError, IndexError, KeyError, TypeError, UnicodeError) as exc:
        raise ValueError(f"it is no pickle: {exc}") from exc


class _Mark:
    """A mark on the stack."""


_MARK = _Mark()


class _Reader:
    """A stack and a memo, as a pickle's instructions use them: see `pickletools`."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def follow(self, name: str, arg: Any) -> None:
        """Follow one instruction, whose argument is `arg`. Raises ValueError for an unknown one."""
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _NEW:
            self.stack.append(_NEW[name]())
        elif name in _METHODS:
            _METHODS[name](self, arg)
        elif name.startswith(_PLAIN):
            self.stack.append(arg)
        else:
            raise ValueError(f"it has an instruction {name} that is not known")

    # stack and memo

    def _do_nothing(self, _: Any) -> None:
        """Do nothing: it is about how the pickle is stored."""

    def _mark(self, _: Any) -> None:
        self.stack.append(_MARK)

    def _pop(self, _: Any) -> None:
        self.stack.pop()

    def _pop_mark(self, _: Any) -> None:
        self._to_mark()

    def _duplicate(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def _get(self, arg: Any) -> None:
        self.stack.append(self._memo[int(arg)])

    def _put(self, arg: Any) -> None:
        self._memo[int(arg)] = self.stack[-1]

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self.stack[-1]

    # containers

    def _tuple(self, _: Any) -> None:
        self.stack.append(Items("(", ")", self._to_mark()))

    def _tuple1(self, _: Any) -> None:
        self._short_tuple(1)

    def _tuple2(self, _: Any) -> None:
        self._short_tuple(2)

    def _tuple3(self, _: Any) -> None:
        self._short_tuple(3)

    def _list(self, _: Any) -> None:
        self.stack.append(Items("[", "]", self._to_mark()))

    def _frozenset(self, _: Any) -> None:
        self.stack.append(Items("frozenset({", "})", self._to_mark()))

    def _dict(self, _: Any) -> None:
        self.stack.append(Pairs(_paired(self._to_mark())))

    def _append(self, _: Any) -> None:
        value = self.stack.pop()
        self.stack[-1].items.append(value)

    def _append_all(self, _: Any) -> None:
        values = self._to_mark()
        self.stack[-1].items.extend(values)

    def _set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._add_pairs([(key, value)])

    def _set_items(self, _: Any) -> None:
        self._add_pairs(_paired(self._to_mark()))

    # classes, functions, and what they make

    def _global(self, arg: Any) -> None:
        self.stack.append(_named(*str(arg).split(" ", 1)))

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(_named(module, name))

    def _extension(self, arg: Any) -> None:
        self.stack.append(Named(f"extension {arg}"))

    def _persistent(self, arg: Any) -> None:
        self.stack.append(Made(Named("persistent"), [arg], [], []))

    def _binary_persistent(self, _: Any) -> None:
        self._persistent(self.stack.pop())

    def _call(self, _: Any) -> None:
        args, what = self.stack.pop(), self.stack.pop()
        self.stack.append(Made(what, args.items, [], []))

    def _call_with_keywords(self, _: Any) -> None:
        keywords, args, what = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.stack.append(Made(what, args.items, [keywords], []))

    def _instance(self, arg: Any) -> None:
        self.stack.append(Made(_named(*str(arg).split(" ", 1)), self._to_mark(), [], []))

    def _object(self, _: Any) -> None:
        what, *args = self._to_mark()
        self.stack.append(Made(what, args, [], []))

    def _build(self, _: Any) -> None:
        state = self.stack.pop()
        self.stack[-1].states.append(state)

    # parts of these

    def _to_mark(self) -> list[Any]:
        """Take the values from the stack that are above the last mark, and the mark."""
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("it has no mark")
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def _short_tuple(self, size: int) -> None:
        values = self.stack[-size:]
        del self.stack[-size:]
        self.stack.append(Items("(", ")", values))

    def _add_pairs(self, pairs: list[tuple[Any, Any]]) -> None:
        target = self.stack[-1]
        if isinstance(target, Made):  # of a subclass of dict
            target.items.extend(Items("(", ")", list(pair)) for pair in pairs)
        else:
            target.pairs.extend(pairs)


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NEW: dict[str, Callable[[], Any]] = {
    "EMPTY_TUPLE": lambda: Items("(", ")", []),
    "EMPTY_LIST": lambda: Items("[", "]", []),
    "EMPTY_SET": lambda: Items("{", "}", []),
    "EMPTY_DICT": lambda: Pairs([]),
}
_METHODS: dict[str, Callable[[_Reader, Any], None]] = {
    "PROTO": _Reader._do_nothing,
    "FRAME": _Reader._do_nothing,
    "STOP": _Reader._do_nothing,
    "MARK": _Reader._mark,
    "POP": _Reader._pop,
    "POP_MARK": _Reader._pop_mark,
    "DUP": _Reader._duplicate,
    "GET": _Reader._get,
    "BINGET": _Reader._get,
    "LONG_BINGET": _Reader._get,
    "PUT": _Reader._put,
    "BINPUT": _Reader._put,
    "LONG_BINPUT": _Reader._put,
    "MEMOIZE": _Reader._memoize,
    "TUPLE": _Reader._tuple,
    "TUPLE1": _Reader._tuple1,
    "TUPLE2": _Reader._tuple2,
    "TUPLE3": _Reader._tuple3,
    "LIST": _Reader._list,
    "FROZENSET": _Reader._frozenset,
    "DICT": _Reader._dict,
    "APPEND": _Reader._append,
    "APPENDS": _Reader._append_all,
    "ADDITEMS": _Reader._append_all,
    "SETITEM": _Reader._set_item,
    "SETITEMS": _Reader._set_items,
    "GLOBAL": _Reader._global,
    "STACK_GLOBAL": _Reader._stack_global,
    "EXT1": _Reader._extension,
    "EXT2": _Reader._extension,
    "EXT4": _Reader._extension,
    "PERSID": _Reader._persistent,
    "BINPERSID": _Reader._binary_persistent,
    "REDUCE": _Reader._call,
    "NEWOBJ": _Reader._call,
    "NEWOBJ_EX": _Reader._call_with_keywords,
    "INST": _Reader._instance,
    "OBJ": _Reader._object,
    "BUILD": _Reader._build,
}
# What else there is puts its argument on the stack: numbers, texts and bytes.
_PLAIN = ("BIN", "BYTEARRAY", "FLOAT", "INT", "LONG", "SHORT_BIN", "STRING", "UNICODE")


def _named(module: Any, name: Any) -> Named:
    if not (isinstance(module, str) and isinstance(name, str)):
        raise TypeError("a name is no text")
    return Named(name if module in ("builtins", "__builtin__") else f"{module}.{name}")


def _paired(values: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(values[::2], values[1::2], strict=True))
