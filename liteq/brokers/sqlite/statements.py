"""The SQL statements of the broker, by name, as they stand in the `.sql` files beside this one.

Each statement is whole in its file, below a line `-- name:`. Braces there mean three things:

* `{READY}` is the number of that phase, see `liteq.states.Phase`;
* `{record}` is a part that several statements have in common, below a line `-- fragment:`;
* `{{heads}}` varies from call to call, and is filled in by a function below and nowhere else.
"""

import os
import re
from collections.abc import Iterable
from functools import cache
from sqlite3 import complete_statement
from typing import Any

from ...states import Phase

_HEAD = re.compile(r"^-- (name|fragment): (\w+)\n", re.MULTILINE)


def read(name: str) -> str:
    """Return the text of a file beside this one."""
    loader: Any = __spec__.loader  # it may read from a zip archive
    data: bytes = loader.get_data(os.path.join(os.path.dirname(__file__), name))
    return data.decode()


def without_comments(text: str) -> str:
    """Return `text` without what stands behind `--`."""
    return re.sub(r"--.*", "", text)


def split(script: str) -> list[str]:
    """Return the statements of a script; a trigger is one, with those inside it."""
    found, rest = [], ""
    for part in without_comments(script).strip().split(";")[:-1]:
        rest += part + ";"
        if complete_statement(rest):
            found.append(rest.strip())
            rest = ""
    return found


def load(name: str) -> dict[str, str]:
    """Return the statements of a file beside this one, by name and without comments."""
    statements: dict[str, str] = {}
    _, *parts = _HEAD.split(read(name))
    for kind, key, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        sql = without_comments(body).strip().format(**_in_braces)
        (_in_braces if kind == "fragment" else statements)[key] = sql
    return statements


# What may stand in braces: the phases, and the fragments of the files that were loaded so far.
_in_braces = {phase.name: str(int(phase)) for phase in Phase}
SQL = load("statements.sql")


@cache
def claim_sql(queues: int, *, if_open: bool) -> str:
    """Return `claim` for that many queues, which are bound as `:q0`, `:q1`, …

    `if_open`: it claims nothing if there are rules for claims, see passing.py.
    """
    condition = SQL["open"] if if_open else "true"
    if queues == 1:
        return SQL["claim"].format(open=condition)
    heads = " union all ".join(SQL["head"].format(n=n) for n in range(queues))
    return SQL["claim_of_many"].format(heads=heads, open=condition)


def fetch_sql(ids: int) -> str:
    """Return `fetch_many` for that many ids."""
    return SQL["fetch_many"].format(marks=",".join("?" * ids))


def listing_sql(phases: Iterable[Phase], *, newest: bool) -> str:
    """Return `listing` for tasks in `phases`, the oldest or the newest first."""
    numbers = [str(int(phase)) for phase in phases]
    one = len(numbers) == 1
    wanted = f"= {numbers[0]}" if one else f"in ({','.join(numbers)})"
    after, order = ("<", "desc") if newest else (">", "asc")
    return SQL["listing"].format(phases=wanted, after=after, order=order)
