"""The program's own script, as a child process runs it to get at its tasks.

A child imports the application by its module. When that is the script itself (`__main__`), the
child runs the script under the name `__mp_main__`, as `multiprocessing` does, so that an
`if __name__ == "__main__"` guard holds. Where there is no guard, the run ends at the first line
that would start a worker or use the store: all that is above that line is defined by then.
"""

import sys
from collections.abc import Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

NAME = "__mp_main__"

_running = False


class EndOfDefinitions(BaseException):
    """The end of the run of an unguarded script in a child. Not an error; do not catch it."""


def only_definitions() -> None:
    """End the run of the script here, if this is a child that only needs its definitions.

    Raises EndOfDefinitions.
    """
    if _running:
        raise EndOfDefinitions


def describe_main() -> dict[str, str] | None:
    """Return how a child can run this program's script; None for a prompt or a notebook."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return {"module": spec.name}
    path = getattr(main, "__file__", None)
    if path is None or path.startswith("<") or path.endswith("ipykernel_launcher.py"):
        return None
    return {"path": path}


def run_main(how: dict[str, str]) -> ModuleType:
    """Run the script that `describe_main` described, as the module `__main__` of this process."""
    global _running
    module = ModuleType(NAME)
    sys.modules["__main__"] = sys.modules[NAME] = module
    _running = True
    try:
        exec(_code(how, module.__dict__), module.__dict__)  # noqa: S102 - our own program
    except EndOfDefinitions:
        pass
    finally:
        _running = False
        _name_as_main(vars(module))
    return module


def _name_as_main(names: Mapping[str, Any]) -> None:
    """Let the script's classes and functions say that they are of `__main__`.

    Pickles name them by that, and are read by the program that runs the script, today or later.
    """
    for value in list(names.values()):
        if issubclass(type(value), type | FunctionType) and value.__module__ == NAME:
            set_name = type.__setattr__ if issubclass(type(value), type) else setattr
            set_name(value, "__module__", "__main__")
            _name_as_main(vars(value))


def _code(how: dict[str, str], names: dict[str, Any]) -> CodeType:
    if "path" in how:
        names["__file__"] = how["path"]
        with open(how["path"], "rb") as file:
            return compile(file.read(), how["path"], "exec")
    from importlib.util import find_spec

    spec = find_spec(how["module"])
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"no module {how['module']!r}", name=how["module"])
    names.update(__spec__=spec, __package__=spec.parent, __file__=spec.origin)
    code: CodeType | None = spec.loader.get_code(spec.name)  # type: ignore[attr-defined]
    if code is None:
        raise ImportError(f"{how['module']} has no Python code", name=how["module"])
    return code
