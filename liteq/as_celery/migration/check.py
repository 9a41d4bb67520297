"""Put the uses of Celery in all files of a project together."""

import ast
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator

from .code import uses_in
from .commands import command_lines, commands_in_code, variables
from .files import File, Unread
from .findings import Finding, State, Use, Verdict, in_order
from .module import Module, learn_from_each_other
from .settings import Places, places_in, uses_of_settings

Judge = Callable[[list[str]], Iterable[tuple[str, Verdict]]]
"""Takes the words after `celery`; returns what a command line uses, with verdicts."""


def check(files: Iterable[File | Unread], judge: Judge) -> list[Finding]:
    """Return the uses of Celery in `files`, what must be changed first.

    `judge` knows the command line, which is above this package.
    """
    findings: list[Finding] = []
    modules: list[Module] = []
    for file in files:
        if isinstance(file, Unread):
            findings.append(_unread(*file))
        elif not file.is_python:
            uses = [*_commands(command_lines(*file), judge), *variables(*file)]
            findings += [Finding.of(file.path, use) for use in uses]
        else:
            found = _parsed(file)
            findings += [found] if isinstance(found, Finding) else []
            modules += [found] if isinstance(found, Module) else []
    findings += _of_modules(modules, judge)
    return in_order(findings)


def _of_modules(modules: list[Module], judge: Judge) -> Iterator[Finding]:
    learn_from_each_other(modules)
    places = places_in(modules)
    for module in modules:
        try:
            uses = list(_of_module(module, places, judge))
        except RecursionError:
            yield _unread(module.file, "it is nested too deeply")
        else:
            yield from (Finding.of(module.file, use) for use in uses)


def _of_module(module: Module, places: Places, judge: Judge) -> Iterator[Use]:
    yield from uses_in(module)
    yield from uses_of_settings(module, places)
    yield from _commands(commands_in_code(module), judge)


def _commands(lines: Iterable[tuple[int, list[str]]], judge: Judge) -> Iterator[Use]:
    for number, words in lines:
        for what, verdict in judge(words):
            yield Use(number, what, verdict)


def _parsed(file: File) -> Module | Finding:
    """Return the module of a file, or that it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Python finds odd in the program
            module = Module(file.path, ast.parse(file.content))
        module.learn({})  # here, where a source that is too deep is reported
        return module
    except SyntaxError as error:
        return _unread(file.path, f"{_PYTHON}: {error.msg}", error.lineno or 0)
    except (ValueError, RecursionError, MemoryError) as error:
        return _unread(file.path, f"{_PYTHON}: {str(error) or type(error).__name__}")


# People may run this with another Python than the project's, which has newer words.
_PYTHON = "this is no code for Python {}.{}".format(*sys.version_info)


def _unread(file: str, why: str, line: int = 0) -> Finding:
    return Finding(file, line, "the file", State.UNREAD, why)
