"""`liteq shell`: open a Python prompt with the application and its tasks."""

import code
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from importlib import import_module
from typing import Any

from ..app import LiteQ
from ..canvas import chain, chord, chunks, group, signature, xmap, xstarmap
from ..exceptions import ConfigurationError
from ..version import __version__
from .apps import app_of
from .exits import OK

_CANVAS = (chain, chord, chunks, group, signature, xmap, xstarmap)


def configure(parser: ArgumentParser) -> None:
    """Add the options, with Celery's names."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("-I", "--ipython", action="store_true", help="IPython, which it needs")
    which.add_argument("-B", "--bpython", action="store_true", help="bpython, which it needs")
    which.add_argument("-P", "--python", action="store_true", help="the plain prompt (default)")
    parser.add_argument("-T", "--without-tasks", action="store_true", help="leave the tasks out")


def run(args: Namespace) -> int:
    """Open the prompt; return when it is left."""
    app = app_of(args)
    app.load_tasks()
    names = _names(app, tasks=not args.without_tasks)
    banner = f"liteq {__version__}, {app!r}: {', '.join(sorted(names))}"
    _prompt(args)(banner, names)
    return OK


def _names(app: LiteQ, *, tasks: bool) -> dict[str, Any]:
    """Return what the prompt knows: the application, canvases, and each task by its last name."""
    found: dict[str, Any] = {}
    if tasks:
        found |= {name.rpartition(".")[2]: app.tasks[name] for name in app.tasks.names()}
    found |= {each.__name__: each for each in _CANVAS}
    return found | {"app": app, "celery": app}


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as exc:
        raise ConfigurationError(
            f"{name} cannot be imported: {exc}. Install it (pip install {name.lower()}), or leave "
            "the option out for the plain prompt"
        ) from exc


def _prompt(args: Namespace) -> Callable[[str, dict[str, Any]], None]:
    if args.ipython:
        start = _imported("IPython").start_ipython
        return lambda banner, names: start(argv=["--no-banner"], user_ns=names)
    if args.bpython:
        embed = _imported("bpython").embed
        return lambda banner, names: embed(locals_=names, banner=banner)
    return lambda banner, names: code.interact(banner, local=names, exitmsg="")
