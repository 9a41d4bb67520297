"""The source of the package: its modules, and the imports of each."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import liteq

ROOT = Path(__file__).parents[2]
PACKAGE = Path(liteq.__file__).parent


class Import(NamedTuple):
    """One module that an import statement names."""

    line: int
    module: str  # absolute: liteq.brokers.base, or sqlite3
    relative: bool
    deferred: bool  # not done when the module is imported: in a function, or for type checkers


@functools.cache
def modules() -> dict[str, Path]:
    """Return the path of each module by its dotted name; a package's is its `__init__.py`."""
    return {_dotted(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _dotted(path: Path) -> str:
    parts = ("liteq", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def unit(module: str) -> str:
    """Return the top-level name that `module` belongs to: `brokers` for liteq.brokers.base."""
    return module.split(".")[1] if "." in module else "__init__"


@functools.cache
def tree(module: str) -> ast.Module:
    """Return the syntax tree of `module`, shared by all tests: do not change it."""
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


def imports(module: str) -> Iterator[Import]:
    """Yield all imports of `module`, those in functions and under TYPE_CHECKING too."""
    top = tree(module)
    deferred = {node for block in ast.walk(top) if _is_deferred(block) for node in ast.walk(block)}
    for node in ast.walk(top):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node.lineno, alias.name, False, node in deferred)
        elif isinstance(node, ast.ImportFrom):
            source = source_of(module, node)
            for alias in node.names:
                name = f"{source}.{alias.name}"
                target = name if name in modules() else source
                yield Import(node.lineno, target, node.level > 0, node in deferred)


def _is_deferred(block: ast.AST) -> bool:
    """Return whether what stands in `block` is not run when its module is imported."""
    if isinstance(block, ast.If):
        return isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
    return isinstance(block, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def source_of(module: str, node: ast.ImportFrom) -> str:
    """Return the absolute name of the module in `from ... import`."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    is_package = modules()[module].name == "__init__.py"
    package = parts[: len(parts) - node.level + is_package]
    return ".".join([*package, node.module] if node.module else package)
