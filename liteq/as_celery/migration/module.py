"""A Python file of a project, and what its names mean."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, auto
from pathlib import PurePath

from ..counterparts import ROOTS, SERVED

Kinds = Mapping[str, Mapping[str, "Kind"]]
"""Map the last part of a module's name, and a name in it, to what the project offers there."""


class Kind(Enum):
    """Say what a name, or an expression, stands for."""

    APP = auto()
    MAYBE_APP = auto()  # its name is that of an application, and no more is known
    APP_CLASS = auto()
    APP_GETTER = auto()
    CONF = auto()
    CONTROL = auto()
    INSPECT = auto()
    INSPECT_MAKER = auto()
    TASK = auto()
    TASK_CLASS = auto()
    TASK_MAKER = auto()  # the decorator


_BY_NAME = {
    "celery.Celery": Kind.APP_CLASS,
    "celery.app.Celery": Kind.APP_CLASS,
    "celery.app.base.Celery": Kind.APP_CLASS,
    "celery.app.app_or_default": Kind.APP_GETTER,
    "celery._state.get_current_app": Kind.APP_GETTER,
    "celery._state.current_app": Kind.APP,
    "celery.current_app": Kind.APP,
    "celery.current_task": Kind.TASK,
    "celery.shared_task": Kind.TASK_MAKER,
    "celery.app.shared_task": Kind.TASK_MAKER,
    "celery.Task": Kind.TASK_CLASS,
    "celery.app.task.Task": Kind.TASK_CLASS,
    "celery.contrib.abortable.AbortableTask": Kind.TASK_CLASS,
    "celery.contrib.django.task.DjangoTask": Kind.TASK_CLASS,
    "celery.app.control.Control": Kind.CONTROL,
    "celery.app.control.Inspect": Kind.INSPECT_MAKER,
}
_OF_AN_APP = {
    "conf": Kind.CONF,
    "control": Kind.CONTROL,
    "task": Kind.TASK_MAKER,
    "Task": Kind.TASK_CLASS,
    "current_task": Kind.TASK,
}
_MEMBERS = {
    Kind.APP: _OF_AN_APP,
    Kind.MAYBE_APP: _OF_AN_APP,
    Kind.TASK: {"app": Kind.APP},
    Kind.CONTROL: {"inspect": Kind.INSPECT_MAKER},
}
_CALLED = {
    Kind.APP_CLASS: Kind.APP,
    Kind.APP_GETTER: Kind.APP,
    Kind.INSPECT_MAKER: Kind.INSPECT,
    Kind.TASK_MAKER: Kind.TASK_MAKER,
}
_EXPORTED = {Kind.APP, Kind.APP_CLASS, Kind.TASK, Kind.TASK_CLASS}
_NAMES_OF_APPS = ("app", "celery", "celery_app")

Function = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Module:
    """The tree of a file, and the names in it, as if all of them were in one scope."""

    def __init__(self, file: str, tree: ast.Module) -> None:
        self.file = file
        self.tree = tree
        self.nodes: list[ast.AST] = list(ast.walk(tree))
        path = PurePath(file).with_suffix("")
        parts = path.parts[:-1] if path.name == "__init__" else path.parts
        self.dotted: str = ".".join(parts)
        self.name: str = parts[-1] if parts else ""
        self._celerys: dict[str, str] = {}  # what a name stands for, of Celery's
        self._imported: dict[str, tuple[str, str]] = {}  # of the project: the module and the name
        self._kinds: dict[str, Kind] = {}
        self._others: set[str] = set()  # names that are assigned something else
        self._selves: set[ast.AST] = set()  # names that stand for a task that runs
        self._found: dict[ast.AST, str | None] = {}  # what `celerys` has found
        self._read_imports()

    # names

    def celerys(self, node: ast.AST) -> str | None:
        """Return the dotted name of a module of Celery's, or of a name in one; else None."""
        if isinstance(node, ast.Name):
            return self._celerys.get(node.id)
        if not isinstance(node, ast.Attribute):
            return None
        if node not in self._found:
            module = self.celerys(node.value)
            self._found[node] = f"{module}.{node.attr}" if module in SERVED else None
        return self._found[node]

    def kind(self, node: ast.AST) -> Kind | None:
        """Return what `node` stands for; None for anything else, and if that is unknown."""
        if node in self._selves:
            return Kind.TASK
        known = _BY_NAME.get(self.celerys(node) or "")
        if known is not None:
            return known
        if isinstance(node, ast.Name):
            return self._kinds.get(node.id) or self._guess(node.id)
        if isinstance(node, ast.Attribute):
            kind = self.kind(node.value)
            if kind is None:
                return self._kinds.get(f"{last_name(node.value)}.{node.attr}")
            return _MEMBERS.get(kind, {}).get(node.attr)
        if isinstance(node, ast.Call):
            kind = self.kind(node.func)
            return None if kind is None else _CALLED.get(kind)
        return None

    def origin(self, name: str) -> str:
        """Return where a name of the project is from, as far as an import says it: a.b.name."""
        module, original = self._imported.get(name, (self.dotted, name))
        return f"{module}.{original}"

    def _guess(self, name: str) -> Kind | None:
        if name in self._celerys or (name == "app" and name in self._others):
            return None
        return Kind.MAYBE_APP if name in _NAMES_OF_APPS else None

    # from the file itself

    def _read_imports(self) -> None:
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    root = alias.name.partition(".")[0]
                    if root in ROOTS:
                        self._celerys[alias.asname or root] = alias.name if alias.asname else root
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self._read_name(node, alias)

    def _read_name(self, node: ast.ImportFrom, alias: ast.alias) -> None:
        source = node.module or ""
        local = alias.asname or alias.name
        if not node.level and source.partition(".")[0] in ROOTS:
            self._celerys[local] = f"{source}.{alias.name}"
        else:
            last = source.rpartition(".")[2] or self.dotted.split(".")[-1]
            self._imported[local] = (last, alias.name)

    def learn(self, known: Kinds) -> dict[str, Kind]:
        """Learn what names stand for, given what the project's modules offer; return what this
        one offers.
        """
        for local, (module, name) in self._imported.items():
            if name in known.get(module, ()):
                self._kinds[local] = known[module][name]
            # `from . import tasks`: all that this module offers
            offered = known.get(name, {}).items()
            self._kinds.update({f"{local}.{each}": kind for each, kind in offered})
        for node in self.nodes:
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
                self._learn_assigned(node)
            elif isinstance(node, ast.ClassDef):
                self._learn_class(node)
            elif isinstance(node, _FUNCTIONS):
                self._learn_function(node)
        offered = self._kinds.items()
        return {name: kind for name, kind in offered if kind in _EXPORTED and "." not in name}

    def _learn_assigned(self, node: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> None:
        kind = None if node.value is None else self.kind(node.value)
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name):
                if kind is not None and kind is not Kind.MAYBE_APP:
                    self._kinds[target.id] = kind
                elif target.id not in self._kinds and _is_other(node.value):
                    self._others.add(target.id)

    def _learn_class(self, node: ast.ClassDef) -> None:
        kinds = [self.kind(base) for base in node.bases]
        for kind in (Kind.APP_CLASS, Kind.TASK_CLASS):
            if kind in kinds:
                self._kinds[node.name] = kind
        if Kind.TASK_CLASS in kinds:
            for method in node.body:
                if isinstance(method, _FUNCTIONS):
                    self._learn_self(method)

    def _learn_function(self, node: Function) -> None:
        for decorator in node.decorator_list:
            if self.kind(decorator) is Kind.TASK_MAKER:
                self._kinds[node.name] = Kind.TASK
                if "bind" in keywords_of(decorator):
                    self._learn_self(node)

    def _learn_self(self, function: Function) -> None:
        first = next(iter([*function.args.posonlyargs, *function.args.args]), None)
        if first is not None:
            self._selves.update(
                each
                for each in ast.walk(function)
                if isinstance(each, ast.Name) and each.id == first.arg
            )


def learn_from_each_other(modules: Iterable[Module]) -> None:
    """Let `modules` learn what the names stand for that they import from each other."""
    known: dict[str, dict[str, Kind]] = {}
    for _ in range(_DEEPEST):
        before = sum(map(len, known.values()))
        for module in modules:
            known.setdefault(module.name, {}).update(module.learn(known))
        if sum(map(len, known.values())) == before:
            return


_DEEPEST = 5  # modules through which a name is passed on


def keywords_of(node: ast.AST) -> dict[str, ast.expr]:
    """Return the keyword arguments of a call, without `**`; none for another node."""
    given = node.keywords if isinstance(node, ast.Call) else []
    return {each.arg: each.value for each in given if each.arg is not None}


def run_with(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of `body`, and those of its blocks such as `if`; not of functions."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            waiting[:0] = [each for each in ast.iter_child_nodes(node) if isinstance(each, _BLOCKS)]


_BLOCKS = (ast.stmt, ast.ExceptHandler, ast.match_case)


def last_name(node: ast.AST) -> str:
    """Return the last name of a dotted one; an empty text for what is none."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _is_other(value: ast.expr | None) -> bool:
    """Return whether a value that is assigned is surely no application of Celery's."""
    made_by = last_name(value.func) if isinstance(value, ast.Call) else ""
    return not isinstance(value, ast.Constant | None) and "celery" not in made_by.lower()
