"""What of a module's source names other modules in strings, or imports what a text names."""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.architecture.source import modules, source_of

# What imports by a name or runs text, by the module that has it.
IMPORTERS = {
    "builtins": {"__import__", "eval", "exec"},
    "importlib": {"__import__", "import_module", "reload"},
    "importlib.util": {"module_from_spec", "spec_from_file_location", "spec_from_loader"},
    "liteq.support.plugins": {"load", "load_module_or_name"},
    "pkgutil": {"resolve_name"},
    "runpy": {"run_module", "run_path"},
}
# What takes names that look like those of modules, and are not.
LABELED = {"logging": {"getLogger"}, "liteq.support.plugins": {"load_entry_point"}}

_NAME = re.compile(r"(liteq(?:\.\w+)+)(:\w[\w.]*)?")
_BEGIN = re.compile(r"liteq[.:][\w.:]*")  # of a name that is completed at run time
_TEMPLATE = re.compile(r"liteq[.:]\S*[{%]\S*")
_RELATIVE = re.compile(r"\.+\w*")


class Place(NamedTuple):
    """A statement at the top of a module, by the name that it defines."""

    module: str
    name: str


class Use(NamedTuple):
    """A place, with what was found there."""

    line: int
    place: Place
    text: str


def named_modules(top: ast.Module, module: str) -> Iterator[Use]:
    """Yield the strings in `top` that name a module of liteq, or begin such a name."""
    importers, labeled = _Names(top, module, IMPORTERS), _Names(top, module, LABELED)
    calls = [node for node in ast.walk(top) if isinstance(node, ast.Call)]
    skipped: set[ast.expr | None] = {
        call.args[0] for call in calls if call.args and labeled.has(call.func)
    }
    skipped |= {node.format_spec for node in ast.walk(top) if isinstance(node, ast.FormattedValue)}
    for place, node in _placed(top, module):
        text = None
        if isinstance(node, ast.Constant) and node not in skipped:
            text = str(node.value) if _names_module(node.value) else None
        elif isinstance(node, ast.JoinedStr) and node not in skipped:
            text = _text(node, _BEGIN)
        elif isinstance(node, ast.BinOp):
            text = _text(node.left, _BEGIN)
        elif isinstance(node, ast.Call) and importers.has(node.func) and node.args:
            text = _text(node.args[0], _RELATIVE)
        if text is not None:
            yield Use(node.lineno, place, text)


def dynamic_imports(top: ast.Module, module: str) -> Iterator[Use]:
    """Yield the uses in `top` of what imports by a name or runs text."""
    importers = _Names(top, module, IMPORTERS)
    for place, node in _placed(top, module):
        if importers.has(node):
            yield Use(node.lineno, place, ast.unparse(node))


class _Names:
    """The names by which a module knows some functions of others."""

    def __init__(self, top: ast.Module, module: str, wanted: Mapping[str, set[str]]) -> None:
        self._known = set(wanted.get("builtins", ()))
        for node in ast.walk(top):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._add_module(alias.asname or alias.name, wanted.get(alias.name))
            elif isinstance(node, ast.ImportFrom):
                source = source_of(module, node)
                for alias in node.names:
                    name = alias.asname or alias.name
                    self._add_module(name, wanted.get(f"{source}.{alias.name}"))
                    if alias.name in wanted.get(source, ()):
                        self._known.add(name)

    def _add_module(self, name: str, functions: set[str] | None) -> None:
        self._known.update(f"{name}.{function}" for function in functions or ())

    def has(self, node: ast.AST) -> bool:
        """Return whether `node` is one of these functions."""
        return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in self._known


def _placed(top: ast.Module, module: str) -> Iterator[tuple[Place, ast.expr]]:
    """Yield all expressions, each with the statement at the top of the module that has it."""
    for statement in top.body:
        target = getattr(statement, "targets", [getattr(statement, "target", None)])[0]
        name = getattr(statement, "name", getattr(target, "id", ""))
        for node in ast.walk(statement):
            if isinstance(node, ast.expr):
                yield Place(module, name), node


def _names_module(value: object) -> bool:
    found = _NAME.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        return found[2] is not None or found[1] in modules()
    return isinstance(value, str) and _TEMPLATE.fullmatch(value) is not None


def _text(node: ast.expr, pattern: re.Pattern[str]) -> str | None:
    """Return the text that `node` is, or begins with, if `pattern` fits it."""
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) and pattern.fullmatch(value) else None
