"""Holds the code to plain imports: those that `test_layers.py` can see.

Modules of liteq are named in strings only in the tables of what is chosen at run time. What imports
by a name, or runs text, is a short list of functions, nearly all of them for users' modules.
"""

import ast

import pytest

from tests.architecture.names import Place, dynamic_imports, named_modules
from tests.architecture.source import modules, tree

# The only places that may name modules of liteq in strings, and why.
NAMES_MODULES = {
    Place("liteq.as_celery.counterparts", "SERVED"): "Celery's modules: they are served when asked",
    Place("liteq.brokers", "BROKERS"): "only the broker that a URL asks for is imported",
    Place("liteq.cli.commands", "module_of"): "only the command that is asked for is imported",
    Place("liteq.brokers", "_GROUP"): "a group of entry points, named as the folder",
    Place("liteq.pools", "POOLS"): "only the pool that is asked for is imported",
    Place("liteq.serializers", "SERIALIZERS"): "only the serializer that is asked for is imported",
    Place("liteq.serializers", "_GROUP"): "a group of entry points, named as the folder",
    Place("liteq.pools.guards", "ProcessGuard"): "what a new process calls first",
    Place("liteq.pools.forklauncher", "ForkServerLauncher"): "what a new process calls first",
    Place("liteq.pools.spawnlauncher", "SpawnLauncher"): "what a new process calls first",
    Place("liteq.worker.worker", "_LOAD"): "what a child process calls to get the application",
    Place("liteq.worker.worker", "_MAKE"): "what a child process calls to run tasks",
    Place("liteq.worker.worker", "_MAKE_IN_LOOP"): "what a child process calls to run tasks",
}

# The only places that may import by a name or run text, and what.
IMPORTS_BY_NAME = {
    Place("liteq.app.discovery", "find_related"): "the modules `tasks` of users' packages",
    Place("liteq.app.discovery", "import_named"): "the modules that `imports` and `include` name",
    Place("liteq.app.factory", "task_class"): "the class that `task_cls` names",
    Place("liteq.app.loader", "_imported"): "the module that `-A` names",
    Place("liteq.app.loader", "_named"): "the application that `-A` names",
    Place("liteq.app.mainscript", "run_main"): "the user's script, in a child process",
    Place("liteq.app.models", "_base_model"): "pydantic, if it is installed",
    Place("liteq.app.reference", "find"): "the modules of an application, in a child process",
    Place("liteq.as_celery.finder", "ServedModule"): "a module of Celery, which we serve",
    Place("liteq.as_celery.finder", "_Loader"): "what `SERVED` names",
    Place("liteq.brokers", "_factory"): "what `BROKERS` names",
    Place("liteq.cli.commands", "module_of"): "what `COMMANDS` names",
    Place("liteq.cli.shell", "_imported"): "IPython and bpython, if they are installed",
    Place("liteq.config.sources", "_import"): "what `config_from_object` names",
    Place("liteq.as_celery.migration.verdicts", "of_name"): "a module of Celery, which we serve",
    Place("liteq.platforms", "set_process_title"): "setproctitle, if it is installed",
    Place("liteq.pools", "pool_class"): "what `POOLS` names",
    Place("liteq.pools.childmain", "run_child"): "what the worker says that runs tasks",
    Place("liteq.pools.forkserver", "_prepare"): "what the worker says that gets the application",
    Place("liteq.pools.spawn", "main"): "what a new process is to call",
    Place("liteq.sending.routes", "_import"): "what `task_routes` names",
    Place("liteq.serializers", "_find"): "what `SERIALIZERS` names",
    Place("liteq.support.plugins", "load"): "the loader itself",
    Place("liteq.support.plugins", "load_module_or_name"): "the loader itself",
}

every_module = pytest.mark.parametrize("module", modules())


@every_module
def test_modules_are_imported_and_not_named_in_strings(module: str) -> None:
    for line, place, text in named_modules(tree(module), module):
        assert place in NAMES_MODULES, f"{modules()[module]}:{line}: {text!r} in {place.name}"


@every_module
def test_only_some_places_import_by_a_name(module: str) -> None:
    for line, place, way in dynamic_imports(tree(module), module):
        assert place in IMPORTS_BY_NAME, f"{modules()[module]}:{line}: {way} in {place.name}"


def test_each_place_that_may_do_so_does() -> None:
    named = {use.place for each in modules() for use in named_modules(tree(each), each)}
    dynamic = {use.place for each in modules() for use in dynamic_imports(tree(each), each)}

    assert named == set(NAMES_MODULES)
    assert dynamic == set(IMPORTS_BY_NAME)


@pytest.mark.parametrize(
    "code",
    [
        "x = 'liteq.worker.worker'",
        "x = 'liteq.worker:Worker.start'",
        "x = f'liteq.{y}.worker'",
        "from importlib import import_module as get\nx = get(f'.{y}', __package__)",
        "x = 'liteq.' + y",
        "x = 'liteq.%s' % y",
        "x = 'liteq.{}'.format(y)",
        "from importlib import import_module\nx = import_module('..worker', __package__)",
        "from own import getLogger\nx = getLogger('liteq.worker')",
        "from logging import getLogger\nx = getLogger(own(y, 'liteq.worker'))",
    ],
)
def test_a_string_that_names_a_module_is_found(code: str) -> None:
    assert list(named_modules(ast.parse(code), "liteq.states"))


@pytest.mark.parametrize(
    "code",
    [
        "import logging\nx = logging.getLogger('liteq.worker')",
        "from logging import getLogger as get\nx = get('liteq.worker')",
        "x = f'{y:.200}.part'",
        "x = 'liteq.shared_task is for that'",
        "x = name.startswith('liteq.')",
    ],
)
def test_other_strings_are_not_found(code: str) -> None:
    assert not list(named_modules(ast.parse(code), "liteq.states"))


@pytest.mark.parametrize(
    "code",
    [
        "def f(): return __import__(x)",
        "from importlib import import_module as get\ndef f(): return get(x)",
        "import importlib as i\ndef f(): return i.import_module(x)",
        "import importlib.util\nf = importlib.util.spec_from_file_location",
        "from pkgutil import resolve_name\nf = resolve_name",
        "def f():\n    import runpy\n    runpy.run_module(x)",
        "def f(): exec(x)",
        "from .support.plugins import load\nf = load(x)",
        "from .support import plugins\nf = plugins.load(x)",
    ],
)
def test_each_way_to_import_by_a_name_is_found(code: str) -> None:
    assert {use.place.name for use in dynamic_imports(ast.parse(code), "liteq.states")} == {"f"}


def test_what_only_has_the_name_of_such_a_way_is_not_found() -> None:
    code = "import pickle\nf = pickle.load(x), re.compile(x), self.exec(x)"

    assert not list(dynamic_imports(ast.parse(code), "liteq.states"))
