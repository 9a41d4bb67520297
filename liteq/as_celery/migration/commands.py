"""Command lines of Celery, and variables of its settings, in files that start programs."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import PurePath
from typing import NamedTuple

from .findings import WORKS, Use, differs
from .module import Kind, Module, last_name
from .verdicts import of_setting

Words = list[str]


class Line(NamedTuple):
    """A line that may be a command: its number, and its text or its words."""

    number: int
    text: str


_PREFIX = re.compile(r"^\s*(?:-\s+)?(?:(?:CMD|ENTRYPOINT|RUN)\s+|[\w.\"-]+\s*[:=]\s*[-@+!]*)?")
_LONGEST = 20_000  # characters of a line; longer ones are data
_COMMANDS = ("args", "command", "entrypoint", "test")  # keys of YAML, for a text or its words
_FOLDED = (">", ">-", ">+")
_LITERAL = ("|", "|-", "|+")
_KEY = re.compile(r"\s*(?:-\s+)?([\w.\"'-]+):(?:\s|$)")
_VARIABLE = re.compile(
    r"[\s\"'-]*(?:export\s+|ENV\s+|Environment=[\"']?)?(CELERY\w*)\s*[=:]\s*(.*)"
)
_CELERY = re.compile(r"(?:.*/)?celery|\$\{?CELERY_BIN\}?")
_NO_COMMANDS = {"install", "add", "pip", "apt-get", "which"}
_READ_BY_CELERY = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")


def command_lines(path: str, content: bytes) -> Iterator[tuple[int, Words]]:
    """Yield the words after `celery` in each command of a file, with the number of its line."""
    for number, text in lines_of(path, content):
        for words in _commands(text):
            yield number, words


def variables(path: str, content: bytes) -> Iterator[Use]:
    """Yield the variables of the environment that a file sets and that are settings of Celery's."""
    for number, text in lines_of(path, content):
        found = _VARIABLE.fullmatch(text.strip())
        if found is None:
            continue
        name, value = found[1], found[2].strip().strip("\"'")
        verdict = of_setting(name, value, "CELERY") if "://" in value else of_setting(name)
        if verdict is WORKS and name in _READ_BY_CELERY:
            verdict = differs(
                "it counts if the program's own settings read it; liteq itself reads "
                "LITEQ_BROKER_URL, and keeps results there"
            )
        if verdict is not None:
            yield Use(number, name, verdict)


# lines


def lines_of(path: str, content: bytes) -> Iterator[Line]:
    """Yield the lines of a file, those that go on in the next one joined, without comments."""
    text = content.decode(errors="replace")
    lines = enumerate(text.splitlines(), 1)
    plain = [Line(number, line) for number, line in lines if not re.match(r"\s*[#;]", line)]
    if PurePath(path).suffix in (".yml", ".yaml"):
        plain = _values_of_yaml(plain)
    yield from _continued(plain)


def _continued(lines: list[Line]) -> Iterator[Line]:
    """Join lines that end with a backslash; leave out those that are too long for people."""
    parts: list[Line] = []
    for each in lines:
        parts.append(each)
        if not each.text.endswith("\\"):
            yield from _one(parts)
            parts = []
    yield from _one(parts)


def _one(parts: list[Line]) -> Iterator[Line]:
    text = " ".join(part.text.removesuffix("\\") for part in parts)
    if parts and len(text) <= _LONGEST:
        yield Line(parts[0].number, text)


class Value(NamedTuple):
    """A key of YAML with its value on one line; the key is only shown with a command."""

    number: int
    key: str
    text: str


def _values_of_yaml(lines: list[Line]) -> list[Line]:
    """Return each key with its value on one line, `args` joined to the `command` before them.

    That is no parser of YAML, but what people write as a command is read.
    """
    values: list[Value] = []
    for each in _values(lines):
        if each.key == "args" and values and values[-1].key == "command":
            values[-1] = values[-1]._replace(text=f"{values[-1].text} {each.text}")
        else:
            values.append(each)
    return [Line(each.number, each.text) for each in values]


def _values(lines: list[Line]) -> Iterator[Value]:
    at = 0
    while at < len(lines):
        number, text = lines[at]
        at += 1
        found = _KEY.match(text)
        key = found[1] if found else ""
        rest = text[found.end() :].strip() if found else ""
        folded = rest in _FOLDED
        if not folded and (key not in _COMMANDS or rest in _LITERAL):
            yield Value(number, "", text)
            continue
        below: list[str] = []
        while at < len(lines) and _goes_on(text, rest, below, lines[at].text):
            below.append(lines[at].text.strip())
            at += 1
        yield Value(number, key, _words_of("" if folded else rest, below))


def _goes_on(first: str, rest: str, below: list[str], line: str) -> bool:
    """Return whether `line` belongs to the value that begins in the line `first`, with `rest`."""
    if rest.startswith("[") and not (below or [rest])[-1].endswith("]"):
        return True
    if _indent(line) == _indent(first):
        return not rest and line.lstrip().startswith("- ") and not _KEY.match(line)
    return _indent(line) > _indent(first) and (rest in _FOLDED or not _KEY.match(line))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _words_of(rest: str, below: list[str]) -> str:
    """Return the text of a value, or the words of a list: `[a, b]`, or `- a` in lines `below`."""
    if below and all(part.startswith("- ") for part in below):
        return " ".join(_quoted(part[2:].strip()) for part in below)
    return _flow(" ".join([rest, *below]))


def _flow(text: str) -> str:
    """Return the words of a list `["a", "b"]` as a line; another text as it is."""
    text = text.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return text
    return " ".join(_quoted(each.strip()) for each in text[1:-1].split(",") if each.strip())


def _quoted(item: str) -> str:
    return item if item[:1] in ("'", '"') else shlex.quote(item)


# what they run


def _commands(text: str) -> Iterator[Words]:
    """Yield the words after `celery` in each command of a line."""
    if "celery" not in text.lower():
        return
    text = _PREFIX.sub("", text, count=1)
    text = _flow(text)
    words: Words = []
    for word in [*_split(text), ";"]:
        if word.strip(";&|()<>"):
            words.append(word)
            continue
        yield from _after_celery(words)
        words = []


def _split(text: str) -> Words:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:  # a quote without its end
        return text.split()


def _after_celery(words: Words) -> Iterator[Words]:
    for at, word in enumerate(words):
        if " " in word:  # sh -c "celery ..."
            yield from _commands(word)
        elif _CELERY.fullmatch(word) and not _NO_COMMANDS & set(words[:at]):
            yield words[at + 1 :]
            return


def commands_in_code(module: Module) -> Iterator[tuple[int, Words]]:
    """Yield the words of commands in Python code: `["celery", ...]`, `app.worker_main([...])`."""
    for node in module.nodes:
        if isinstance(node, ast.List | ast.Tuple):
            words = _texts(node)
            if words and _CELERY.fullmatch(words[0]) and len(words) > 1:
                yield node.lineno, words[1:]
        elif isinstance(node, ast.Call) and last_name(node.func) in ("worker_main", "start"):
            words = _texts(node.args[0]) if node.args else []
            owner = node.func.value if isinstance(node.func, ast.Attribute) else node
            if words and module.kind(owner) in (Kind.APP, Kind.MAYBE_APP):
                yield node.lineno, words[_CELERY.fullmatch(words[0]) is not None :]


def _texts(node: ast.expr) -> Words:
    """Return the texts in a list; `$` stands for what is computed."""
    items = node.elts if isinstance(node, ast.List | ast.Tuple) else []
    texts = [each.value if isinstance(each, ast.Constant) else "$" for each in items]
    return [str(each) for each in texts]
