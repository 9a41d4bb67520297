"""The uses of Celery in a Python file, apart from settings."""

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

from ...app.base import LiteQ
from ...canvas import Signature
from ...task import Task
from ..counterparts import MISSING, ROOTS, SERVED
from .findings import State, Use, Verdict, differs
from .module import Function, Kind, Module, keywords_of, last_name
from .settings import application_settings, is_setting
from .verdicts import (
    CLASSES,
    Call,
    of_application,
    of_call_options,
    of_function,
    of_member,
    of_name,
    of_task_attribute,
    of_task_option,
)

_CLASSES = {
    Kind.APP: CLASSES["app"],
    Kind.CONTROL: CLASSES["control"],
    Kind.INSPECT: CLASSES["inspect"],
    Kind.TASK: CLASSES["task"],
}
Method = Callable[..., Any]

_OF_POOLS = {"func", "callback", "error_callback", "kwds"}  # of multiprocessing's apply_async
_OTHERS = {name for name in MISSING if name.partition(".")[0] not in ROOTS}
# A text that names a class of Celery's, as in the configuration of logging.
_CLASS_NAME = re.compile(rf"({'|'.join(ROOTS)})(\.[a-z_]+)*[.:][A-Z]\w+")


def uses_in(module: Module) -> Iterator[Use]:
    """Yield the uses of Celery in `module`, each with its verdict."""
    yield from _imports(module)
    for node in module.nodes:
        if isinstance(node, ast.Attribute):
            yield from _attribute(module, node)
        elif isinstance(node, ast.Call):
            yield from _call(module, node)
        elif isinstance(node, ast.ClassDef):
            yield from _class(module, node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _function(module, node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _text(node.lineno, node.value)


# statements that import


def _imports(module: Module) -> Iterator[Use]:
    guarded = {each for node in module.nodes for each in _guarded(node)}
    for node in module.nodes:
        if isinstance(node, ast.Import):
            names = [(f"import {alias.name}", alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [_imported(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        for what, name in names:
            verdict = _of_imported(name)
            if verdict is not None:
                if node in guarded and verdict.state is State.MISSING:
                    verdict = differs(f"the program goes on without it: {verdict.why}")
                yield Use(node.lineno, what, verdict)


def _imported(module: str, name: str) -> tuple[str, str]:
    """Return how `from module import name` is written, and the dotted name that it imports."""
    return f"from {module} import {name}", module if name == "*" else f"{module}.{name}"


def _of_imported(name: str) -> Verdict | None:
    root = name.partition(".")[0]
    return of_name(name) if root in ROOTS or root in _OTHERS else None


def _guarded(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may fail to be imported: under `try: ... except ImportError:`, or for types."""
    if isinstance(node, ast.Try):
        is_guard = any(map(_catches, node.handlers))
    else:
        is_guard = isinstance(node, ast.If) and last_name(node.test) == "TYPE_CHECKING"
    if is_guard and isinstance(node, ast.Try | ast.If):
        for statement in node.body:
            yield from ast.walk(statement)


def _catches(handler: ast.ExceptHandler) -> bool:
    given = handler.type
    kinds = given.elts if isinstance(given, ast.Tuple) else [given]
    return any(kind is None or last_name(kind) in _CAUGHT for kind in kinds)


_CAUGHT = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


# names


def _attribute(module: Module, node: ast.Attribute) -> Iterator[Use]:
    """Yield `celery.result.AsyncResult` and the like, and members of applications and tasks."""
    owner = module.celerys(node.value)
    if owner in SERVED:
        name = f"{owner}.{node.attr}"
        if name not in SERVED:
            yield Use(node.lineno, name, of_name(name))
        return
    kind = module.kind(node.value)
    if kind in _CLASSES:
        verdict = of_member(*_CLASSES[kind], node.attr)
        if verdict is not None and _is_reported(kind, node.attr):
            yield Use(node.lineno, f"{_SHOWN[kind]}.{node.attr}", verdict)


_SHOWN = {Kind.APP: "app", Kind.CONTROL: "control", Kind.INSPECT: "inspect()", Kind.TASK: "task"}


def _is_reported(kind: Kind, name: str) -> bool:
    """Return whether a member is reported by itself: not when what is done with it is."""
    is_way = kind is Kind.APP and name in ("conf", "control", "task")
    return not is_way and (kind, name) not in _METHODS


def _text(line: int, text: str) -> Iterator[Use]:
    """Yield a text that names a class of Celery's which is missing, or a package of Celery's."""
    name = text.replace(":", ".")
    if text in _OTHERS or _CLASS_NAME.fullmatch(text):
        verdict = of_name(name)
        if verdict.state is not State.WORKS:
            yield Use(line, repr(text), verdict)


# tasks


def _function(module: Module, node: Function) -> Iterator[Use]:
    """Yield the decorators that make a function a task; their options are those of a call."""
    for decorator in node.decorator_list:
        if module.kind(decorator) is Kind.TASK_MAKER:
            name = decorator.func if isinstance(decorator, ast.Call) else decorator
            is_async = isinstance(node, ast.AsyncFunctionDef)
            yield Use(decorator.lineno, f"@{_written(name)}", of_function(is_async=is_async))


def _class(module: Module, node: ast.ClassDef) -> Iterator[Use]:
    """Yield the options in the body of a class of tasks, and what may be a misspelt one."""
    if Kind.TASK_CLASS not in map(module.kind, node.bases):
        return
    for statement in node.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = [each.id for each in targets if isinstance(each, ast.Name)]
        elif isinstance(statement, ast.FunctionDef):
            names = [statement.name] if not statement.decorator_list else []
        else:
            continue
        is_method = isinstance(statement, ast.FunctionDef)
        for name in names:
            verdict = of_task_attribute(name, is_method=is_method)
            if verdict is not None:
                yield Use(statement.lineno, f"{node.name}.{name}", verdict)


# calls


def _call(module: Module, node: ast.Call) -> Iterator[Use]:
    kind = module.kind(node.func)
    if kind is Kind.APP_CLASS:
        call = _call_of(node)
        call = call._replace(keywords=[each for each in call.keywords if not is_setting(each)])
        yield from _of_call(node, of_application(call))
        yield from application_settings(node)
    elif kind is Kind.TASK_MAKER:
        for name, value in keywords_of(node).items():
            yield Use(value.lineno, f"@{_written(node.func)}({name}=...)", of_task_option(name))
    elif isinstance(node.func, ast.Attribute):
        method = _method(module, node.func, node)
        if method is not None:
            verdicts = of_call_options(method, _call_of(node))
            yield from _of_call(node, [(f"{node.func.attr}({each})", v) for each, v in verdicts])


def _of_call(node: ast.Call, verdicts: list[tuple[str, Verdict]]) -> Iterator[Use]:
    for what, verdict in verdicts:
        yield Use(node.lineno, what, verdict)


def _method(module: Module, function: ast.Attribute, call: ast.Call) -> Method | None:
    """Return the method of liteq's that a call reaches which takes options of a call; or None."""
    owner = module.kind(function.value)
    if function.attr == "apply_async":
        is_pool = _OF_POOLS & keywords_of(call).keys() or _POOL.search(last_name(function.value))
        return None if owner is not Kind.TASK and is_pool else Task.apply_async
    if function.attr == "set":
        made_by = function.value.func if isinstance(function.value, ast.Call) else None
        made_here = isinstance(made_by, ast.Attribute) and made_by.attr in _SIGNATURES
        return Signature.set if made_here else None
    return _METHODS.get((owner, function.attr))


_METHODS: dict[tuple[Kind | None, str], Method] = {
    (Kind.TASK, "apply_async"): Task.apply_async,
    (Kind.TASK, "retry"): Task.retry,
    (Kind.APP, "send_task"): LiteQ.send_task,
    (Kind.MAYBE_APP, "send_task"): LiteQ.send_task,
}
_SIGNATURES = ("s", "si", "signature", "subtask")
_POOL = re.compile(r"(?i)pool|executor")


def _call_of(node: ast.Call) -> Call:
    some = [each for each in node.args if not isinstance(each, ast.Starred)]
    return Call(len(some), list(keywords_of(node)))


def _written(node: ast.AST) -> str:
    """Return a dotted name as it is written."""
    if isinstance(node, ast.Attribute):
        return f"{_written(node.value)}.{node.attr}"
    return last_name(node) or "..."
