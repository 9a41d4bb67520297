"""The settings in a project's Python files: where they are given, and what becomes of each."""

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ...config.celery import current_name
from .findings import Use
from .module import Kind, Module, keywords_of, last_name, run_with
from .verdicts import UNKNOWN, of_setting, of_setting_read, of_stores

_DJANGO = "django.conf"
_OLD = re.compile(r"CELERY|BROKER_")  # how the old names begin, without a namespace
_ALIASES = {"broker": "broker_url", "backend": "result_backend"}  # keywords of Celery(...)


class Given(NamedTuple):
    """A setting that a file gives."""

    line: int
    name: str
    node: ast.expr
    namespace: str | None = None
    shown: str = ""  # instead of its name


class Places(NamedTuple):
    """Name where a project says that its settings are."""

    modules: frozenset[str]  # dotted names: "proj.celeryconfig", also with a class at the end
    namespaces: frozenset[str | None]  # of names in other modules, such as Django's settings


def places_in(modules: Iterable[Module]) -> Places:
    """Return what the calls of `config_from_object` in a project name."""
    named: set[str] = set()
    namespaces: set[str | None] = set()
    for module in modules:
        for call in _calls_of(module, "config_from_object"):
            given = _first(call)
            named.update([module.origin(given.id)] if isinstance(given, ast.Name) else [])
            source = literal(given)
            space = literal(keywords_of(call).get("namespace"))
            namespace = space if isinstance(space, str) else None
            if isinstance(source, str) and (namespace or source.startswith(_DJANGO)):
                namespaces.add(namespace)
            elif isinstance(source, str):
                named.add(source.replace(":", "."))
    return Places(frozenset(named), frozenset(namespaces or {"CELERY"}))


def uses_of_settings(module: Module, places: Places) -> Iterator[Use]:
    """Yield the settings that `module` gives and reads."""
    own = [name for name in places.modules if _same(name, module) or _same(_parent(name), module)]
    for name in own:
        if _same(name, module):
            yield from _judged(_all_in(module.tree.body))
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and name.endswith(f".{node.name}"):
                yield from _judged(_all_in(node.body))
    if not own:
        for namespace in places.namespaces:
            yield from _judged(_with_prefix(module, namespace))
    given = [*_by_name(module), *_in_mappings(module)]
    yield from _judged(given)
    yield from _read(module)


def _judged(settings: Iterable[Given]) -> Iterator[Use]:
    """Yield the verdicts on settings that are given in one place."""
    stores: dict[str, str] = {}
    for line, name, node, namespace, shown in settings:
        value = value_of(node)
        verdict = of_setting(name, value, namespace)
        if verdict is not None:
            yield Use(line, shown or name, verdict)
        known = current_name(name.removeprefix(f"{namespace}_")) or ""
        if known in ("broker_url", "result_backend") and isinstance(value, str):
            stores[known] = value
            if len(stores) == 2 and (verdict := of_stores(**stores)).why:
                yield Use(line, shown or name, verdict)


# where settings are given


def application_settings(call: ast.Call) -> Iterator[Use]:
    """Yield the settings among the keywords of `Celery(...)`."""
    given = keywords_of(call).items()
    yield from _judged(
        Given(node.lineno, _ALIASES.get(name, name), node, shown=f"Celery({name}=...)")
        for name, node in given
        if is_setting(name)
    )


def is_setting(keyword: str) -> bool:
    """Return whether a keyword of `Celery(...)` gives a setting its value."""
    return keyword in _ALIASES or current_name(keyword) is not None


def _all_in(body: Iterable[ast.stmt]) -> Iterator[Given]:
    """Yield what a module or a class of settings assigns."""
    for statement in run_with(body):
        yield from _assigned(statement)


def _with_prefix(module: Module, namespace: str | None) -> Iterator[Given]:
    """Yield the settings among the names of any module, by their prefix."""
    for node in module.nodes:
        for given in _assigned(node):
            if namespace and given.name.startswith(f"{namespace}_"):
                yield given._replace(namespace=namespace)
            elif namespace is None and _OLD.match(given.name):
                yield given


def _assigned(node: ast.AST) -> Iterator[Given]:
    """Yield the names that an assignment gives a value."""
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                yield Given(node.lineno, target.id, node.value)


def _by_name(module: Module) -> Iterator[Given]:
    """Yield `app.conf.name = value` and `app.conf["name"] = value`."""
    for node in module.nodes:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Attribute) and module.kind(target.value) is Kind.CONF:
                yield Given(node.lineno, target.attr, node.value)
            elif isinstance(target, ast.Subscript) and module.kind(target.value) is Kind.CONF:
                name = literal(target.slice)
                if isinstance(name, str):
                    yield Given(node.lineno, name, node.value)


def _in_mappings(module: Module) -> Iterator[Given]:
    """Yield what `conf.update(...)` and the like are given, and what is in a dict `CELERY`."""
    for call in _calls_of(module, "update", "config_from_object", "add_defaults", "from_object"):
        if last_name(call.func) == "update":
            yield from _pairs(call)
        yield from _pairs(_first(call))
    for node in module.nodes:
        for given in _assigned(node):
            if given.name == "CELERY":
                yield from _pairs(given.node)
        if isinstance(node, ast.keyword) and node.arg == "CELERY":
            yield from _pairs(node.value)


def _calls_of(module: Module, *names: str) -> Iterator[ast.Call]:
    """Yield the calls of methods with these names, of an application or its settings."""
    for node in module.nodes:
        if isinstance(node, ast.Call) and last_name(node.func) in names:
            owner = node.func.value if isinstance(node.func, ast.Attribute) else None
            kind = None if owner is None else module.kind(owner)
            if kind in (Kind.APP, Kind.MAYBE_APP, Kind.CONF):
                yield node


def _pairs(node: ast.AST | None) -> Iterator[Given]:
    """Yield the names and values of a dict, or of the keywords of a call such as `dict(...)`."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            name = literal(key)
            if isinstance(name, str):
                yield Given(value.lineno, name, value)
    elif isinstance(node, ast.Call):
        for name, value in keywords_of(node).items():
            yield Given(value.lineno, name, value)


# where settings are read


def _read(module: Module) -> Iterator[Use]:
    """Yield `app.conf.name` and `app.conf["name"]` where they are not given a value."""
    for node in module.nodes:
        if not isinstance(node, ast.Attribute | ast.Subscript):
            continue
        if isinstance(node.ctx, ast.Load) and module.kind(node.value) is Kind.CONF:
            name = node.attr if isinstance(node, ast.Attribute) else literal(node.slice)
            verdict = of_setting_read(name) if isinstance(name, str) else None
            if verdict is not None:
                yield Use(node.lineno, f"app.conf.{name}", verdict)


# values


def literal(node: ast.AST | None) -> Any:
    """Return the value that `node` writes out; UNKNOWN if the code computes it, or it is None."""
    try:
        return ast.literal_eval(node) if isinstance(node, ast.expr) else UNKNOWN
    except (ValueError, TypeError, SyntaxError, MemoryError):
        return UNKNOWN


def value_of(node: ast.expr) -> Any:
    """Return the value of a setting, also the default in `os.environ.get("NAME", "default")`.

    The parts of an f-string that are computed are replaced by `_`.
    """
    if isinstance(node, ast.JoinedStr):
        parts = [each.value if isinstance(each, ast.Constant) else "_" for each in node.values]
        return "".join(map(str, parts))
    if isinstance(node, ast.BoolOp):
        return value_of(node.values[-1])
    if isinstance(node, ast.Call) and re.search(r"get|env|config", last_name(node.func)):
        default = [*node.args[1:2], keywords_of(node).get("default")][0]
        return UNKNOWN if default is None else _text(value_of(default))
    return literal(node)


def _text(value: Any) -> Any:
    """Return a default of a variable, which is converted if it is no text as a whole."""
    return value if isinstance(value, str) and "://" in value else UNKNOWN


def _first(call: ast.Call) -> ast.expr | None:
    return call.args[0] if call.args else keywords_of(call).get("obj")


def _parent(name: str) -> str:
    return name.rpartition(".")[0]


def _same(name: str, module: Module) -> bool:
    """Return whether `name`, as an import says it, may be that of `module`."""
    return bool(name) and f".{module.dotted}".endswith(f".{name}")
