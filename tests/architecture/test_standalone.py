"""The package needs nothing but the standard library, and no particular system."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE, modules, tree
from tests.e2e.project import TASKS, TERM, Project

POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios"}
POSIX_ONLY |= {
    f"os.{name}" for name in ("fork", "forkpty", "getuid", "geteuid", "killpg", "setsid")
}
POSIX_ONLY |= {f"signal.{name}" for name in ("SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "wakeup")}

# Each costs milliseconds, or starts something; whoever needs it imports it when it is needed.
HEAVY = {"argparse", "asyncio", "base64", "ctypes", "importlib.metadata", "logging", "pickle"}
HEAVY |= {"multiprocessing", "socket", "sqlite3", "subprocess", "tempfile", "traceback", "uuid"}
HEAVY |= {"fnmatch", "importlib.util", "ipaddress", "json", "pathlib", "signal", "urllib.parse"}

# What a worker, or who sends to a file, does not need; each takes 1 to 5 ms and up to 0.6 MB.
UNUSED = {"bz2", "inspect", "ipaddress", "lzma", "multiprocessing", "pathlib"}
UNUSED |= {"platform", "shutil", "subprocess", "tempfile", "urllib.parse", "uuid"}
UNUSED |= {"liteq.schedules"}
UNUSED |= {f"liteq.brokers.sqlite.{name}" for name in ("backup", "checkup", "findings", "moving")}

SENDER = "import project; project.add.delay(2, 3)"
PRINT_MODULES = """
import atexit
atexit.register(lambda: print("modules:", *sys.modules))
"""

ONLY_THE_STANDARD_LIBRARY = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        asks = sys._getframe(1)
        while "importlib" in asks.f_globals["__name__"]:
            asks = asks.f_back
        # The standard library looks for more than it has: pickle for Jython, platform for WMI.
        ours = asks.f_globals["__name__"].startswith("liteq")
        if ours and name.partition(".")[0] not in {"liteq", *sys.stdlib_module_names}:
            raise SystemExit(f"{name} was asked for")

sys.path.insert(0, sys.argv[1])
sys.meta_path.insert(0, Refuse())
for name in sys.argv[2:]:
    __import__(name)
print(*sys.modules)
"""


def loaded_by(*names: str) -> set[str]:
    """Import `names` in an interpreter without site-packages; answer all that was loaded."""
    script = (ONLY_THE_STANDARD_LIBRARY, str(PACKAGE.parent), *names)
    command = [sys.executable, "-I", "-S", "-c", *script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_every_module_is_happy_with_the_standard_library() -> None:
    others = ("__main__", ".redis", "liteq.contrib.pytest")  # it runs, or is for a third party's
    names = [m for m in modules() if not any(each in m for each in others)]

    assert loaded_by(*names) >= set(names)


def test_import_liteq_loads_nothing_heavy() -> None:
    assert loaded_by("liteq") & HEAVY == set()


def test_a_call_loads_nothing_that_only_others_need(tmp_path: Path) -> None:
    loaded = Project(tmp_path).python(f"{SENDER}; import sys; print(*sys.modules)")

    assert set(loaded.split()) & (UNUSED | {"argparse", "logging", "traceback"}) == set()


def test_a_worker_loads_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("project.py", TASKS + PRINT_MODULES)
    with project.worker() as worker:
        project.python(SENDER)
        worker.wait_for_line("succeeded")
        worker.send(TERM)
        worker.wait()
        loaded = worker.wait_for_line("^modules: ")

    assert set(loaded.split()) & UNUSED == set()


@pytest.mark.parametrize("module", modules())
def test_what_only_posix_has_is_guarded(module: str) -> None:
    asked = {name for node in at_import(tree(module)) for name in asked_for(node)}

    assert asked & POSIX_ONLY == set()


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run, unguarded, when the module is imported.

    A function runs later; `try`, `if` and `hasattr(...) and ...` are guards.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(
            child, ast.FunctionDef | ast.Lambda | ast.Try | ast.If | ast.IfExp | ast.BoolOp
        ):
            continue
        yield child
        yield from at_import(child)


def asked_for(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=str(module), names=names, level=0):
            yield module
            yield from (f"{module}.{alias.name}" for alias in names)
        case ast.Attribute(value=ast.Name(id=source), attr=name):
            yield f"{source}.{name}"
