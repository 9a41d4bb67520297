"""The Lua scripts beside this file, put together from their parts.

There is one script for each verb. Its first line names the parts that are put before it:
`-- uses head, walk`. A file without such a line is a part.
"""

import pkgutil
import re
from functools import cache
from hashlib import sha1
from typing import NamedTuple

from ....states import Phase

_USES = re.compile(r"-- uses ([\w, ]+)\n")
_DENIED_WHEN_FULL = frozenset(
    {"emit", "enqueue", "enqueue_graph", "fire", "schedule", "send_bulk", "stage", "unpack"}
)
_READ_ONLY = frozenset(
    {
        "attempts",
        "dead_workers",
        "fetch",
        "groups",
        "held",
        "inputs",
        "leased_workers",
        "members_between",
        "members_of_score",
        "next_fire",
        "resting",
        "schedules",
        "steps",
        "wrong_keys",
    }
)

# Put before every script, so that `liteq.states` is the only place with the numbers of the phases.
_PHASES = "\n".join(f"local {phase.name} = {int(phase)}" for phase in Phase)


class Script(NamedTuple):
    """A script as it is sent to the server."""

    text: str
    sha: str  # its name for EVALSHA


@cache
def script(verb: str, *, flags: bool) -> Script:
    """Return the script of `verb`; with `flags` for Redis 7 about when it may run."""
    text = _read(verb)
    uses = _USES.match(text)
    assert uses is not None, f"{verb}.lua does not begin with `-- uses`"
    parts = [_read(name.strip()) for name in uses[1].split(",")]
    whole = "\n".join([_PHASES, *parts, text])
    if flags and verb in _READ_ONLY:
        whole = f"#!lua flags=no-writes\n{whole}"  # a replica can run it, too
    elif flags and verb not in _DENIED_WHEN_FULL:
        # Finishing work frees memory sooner or later, so it is allowed on a server that is full.
        whole = f"#!lua flags=allow-oom\n{whole}"
    return Script(whole, sha1(whole.encode(), usedforsecurity=False).hexdigest())


def _read(name: str) -> str:
    data = pkgutil.get_data(__package__, f"{name}.lua")
    assert data is not None, f"{name}.lua is missing from the installation"
    return data.decode()
