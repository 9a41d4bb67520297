"""The Lua scripts beside this file, by verb.

The first line of each names the parts that stand before it: `-- uses head, walk`.
"""

import pkgutil
import re
from functools import cache
from hashlib import sha1
from typing import NamedTuple

from ....states import Phase

_USES = re.compile(r"-- uses ([\w, ]+)\n")
_NEED_MEMORY = frozenset({"enqueue", "enqueue_graph", "fire", "schedule", "unpack"})
_READ = frozenset(
    {"attempts", "dead_workers", "fetch", "live_workers", "next_fire", "schedules", "workflows"}
)

# Every script begins with this, so that the numbers of the phases stand in `liteq.states` alone.
_PHASES = "\n".join(f"local {phase.name} = {int(phase)}" for phase in Phase)


class Script(NamedTuple):
    """A script as it is sent."""

    text: str
    sha: str


@cache
def script(verb: str, *, flags: bool) -> Script:
    """The script of `verb`; with `flags` it tells a server (Redis 7) what it may let pass."""
    text = _read(verb)
    head = _USES.match(text)
    assert head is not None, f"{verb}.lua does not begin with what it uses"
    parts = [_read(name.strip()) for name in head[1].split(",")]
    whole = "\n".join([_PHASES, *parts, text])
    if flags and verb in _READ:
        whole = f"#!lua flags=no-writes\n{whole}"  # a replica can answer it, too
    elif flags and verb not in _NEED_MEMORY:
        # What finishes work frees memory sooner or later, so a server that is full lets it pass.
        whole = f"#!lua flags=allow-oom\n{whole}"
    return Script(whole, sha1(whole.encode(), usedforsecurity=False).hexdigest())


def _read(name: str) -> str:
    data = pkgutil.get_data(__package__, f"{name}.lua")
    assert data is not None, f"{name}.lua is missing from the installation"
    return data.decode()
