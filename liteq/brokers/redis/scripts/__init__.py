"""The Lua scripts beside this file, put together from their parts.

There is one script for each verb. Its first line names the parts that it stands on:
`-- uses head, walk`. A file without such a line is a part: functions, constants, and the variables
of one call, to which `begin_<part>` gives their first values.

So the same text serves twice: as a script of its own, with its parts before it, and as one function
of a library, in which the parts stand once and are not defined anew by each call.
"""

import pkgutil
import re
from collections.abc import Sequence
from functools import cache
from hashlib import sha1
from typing import NamedTuple

from ....states import Phase

_USES = re.compile(r"-- uses ([\w, ]+)\n")
_COMMENTS = re.compile(r"(?m)^ *--.*\n")  # half of the text
_DENIED_WHEN_FULL = frozenset(
    {
        "emit",
        "enqueue",
        "enqueue_graph",
        "fire",
        "order",
        "schedule",
        "send_bulk",
        "stage",
        "unpack",
    }
)
_READ_ONLY = frozenset(
    {
        "answers",
        "attempts",
        "dead_workers",
        "entry",
        "fetch",
        "groups",
        "held",
        "inputs",
        "leased_workers",
        "members_between",
        "members_of_score",
        "next_fire",
        "oldest",
        "orders",
        "resting",
        "schedules",
        "statistics",
        "steps",
        "waited",
        "wrong_keys",
    }
)

# All parts; one may use those before it.
_PARTS = (
    "head",
    "singles",
    "tasks",
    "sending",
    "events",
    "output",
    "walk",
    "moving",
    "leases",
    "entries",
    "workers",
    "claiming",
    "settling",
)

# Put before every script, so that `liteq.states` is the only place with the numbers of the phases.
_PHASES = "\n".join(f"local {phase.name} = {int(phase)}" for phase in Phase)

# What the names of all libraries begin with, of this and of other versions of liteq.
LIBRARY_PREFIX = "liteq_"


class Script(NamedTuple):
    """A script as it is sent to the server."""

    text: str
    sha: str  # its name for EVALSHA


class Library(NamedTuple):
    """The functions of all verbs as they are sent to the server.

    Its name has a hash of its text, so that several versions of liteq can use one server.
    """

    name: str
    text: str

    def function(self, verb: str) -> str:
        """Return the name for FCALL. The names of all functions of a server share one space."""
        return f"{self.name}_{verb}"


@cache
def script(verb: str, *, flags: bool) -> Script:
    """Return the script of `verb`; with `flags` for Redis 7 about when it may run."""
    parts, flag = _parts_of(verb), _flag(verb)
    begins = _begins(parts, "KEYS, ARGV")
    whole = "\n".join([_PHASES, *map(_read, parts), begins, _read(verb)])
    if flags and flag:
        whole = f"#!lua flags={flag}\n{whole}"
    return Script(whole, _hash(whole))


@cache
def library() -> Library:
    """Return the library of all verbs."""
    functions = (_function(verb) for verb in verbs())
    text = _COMMENTS.sub("", "\n".join([_PHASES, *map(_read, _PARTS), *functions]))
    name = LIBRARY_PREFIX + _hash(text)[:16]
    return Library(name, f'#!lua name={name}\nlocal LIBRARY = "{name}"\n{text}')


def verbs() -> list[str]:
    """Return the names of all scripts."""
    from importlib.resources import files  # only the first call of a program needs it

    names = (file.name for file in files(__package__).iterdir())
    found = {name.removesuffix(".lua") for name in names if name.endswith(".lua")}
    return sorted(found.difference(_PARTS))


def _function(verb: str) -> str:
    """Return the Lua that registers the function of `verb`."""
    text, flag = _read(verb), _flag(verb)
    return f"""\
redis.register_function{{
function_name = LIBRARY .. "_{verb}",
flags = {{{f'"{flag}"' if flag else ""}}},
callback = function(...)
{_begins(_parts_of(verb), "...")}
{text}
end}}"""


def _flag(verb: str) -> str | None:
    if verb in _READ_ONLY:
        return "no-writes"  # a replica can run it, too
    # Finishing work frees memory sooner or later, so it is allowed on a server that is full.
    return None if verb in _DENIED_WHEN_FULL else "allow-oom"


def _parts_of(verb: str) -> list[str]:
    uses = _USES.match(_read(verb))
    assert uses is not None, f"{verb}.lua does not begin with `-- uses`"
    return [name.strip() for name in uses[1].split(",")]


def _begins(parts: Sequence[str], arguments: str) -> str:
    """Return the calls that give the variables of `parts` their first values."""
    found = (part for part in parts if f"function begin_{part}(" in _read(part))
    return "\n".join(f"begin_{part}({arguments if part == 'head' else ''})" for part in found)


def _hash(text: str) -> str:
    return sha1(text.encode(), usedforsecurity=False).hexdigest()


@cache
def _read(name: str) -> str:
    data = pkgutil.get_data(__package__, f"{name}.lua")
    assert data is not None, f"{name}.lua is missing from the installation"
    return data.decode()
