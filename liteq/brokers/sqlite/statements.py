"""The statements of `statements.sql`, by name."""

import json
import pkgutil
import re
from collections.abc import Mapping, Sequence
from functools import cache
from sqlite3 import complete_statement
from typing import Any

_HEAD = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def read(name: str) -> str:
    """The text of a file beside this one."""
    data = pkgutil.get_data(__package__, name)
    assert data is not None, f"{name} is missing from the installation"
    return data.decode()


def without_comments(text: str) -> str:
    """`text` without what stands behind `--`."""
    return re.sub(r"--.*", "", text)


def statements(text: str) -> list[str]:
    """The statements of a script; a trigger is one, with those that it has inside."""
    found, rest = [], ""
    for part in without_comments(text).strip().split(";")[:-1]:
        rest += part + ";"
        if complete_statement(rest):
            found.append(rest.strip())
            rest = ""
    return found


def parse(text: str) -> dict[str, str]:
    """Statements by the name in the `-- name:` line above each; comments are dropped."""
    _, *parts = _HEAD.split(text)
    return {
        name: without_comments(body).strip()
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


SQL = parse(read("statements.sql"))
for _name in ("forget", "sweep"):
    SQL[_name] = SQL[_name].format(needed=SQL["needed"])


@cache
def claim_sql(queues: int) -> tuple[str, str]:
    """`claimable` and `claim` for that many queues; their names are bound as `:q0`, `:q1`, …"""
    if queues == 1:
        which = SQL["ready"]
        ready = SQL["ready_one"].format(ready=which)
    else:
        each = " union all ".join(SQL["ready_each"].format(n=n) for n in range(queues))
        ready = SQL["ready_many"].format(each=each)
        which = f"seq in ({ready})"
    return SQL["claimable"].format(which=which), SQL["claim"].format(ready=ready)


def listed(
    phases: Sequence[int], task: str | None, headers: Mapping[str, Any] | None
) -> tuple[str, list[object]]:
    """The end of a query for tasks in `phases`, oldest first, and its values."""
    where = f"where t.phase in ({','.join(str(int(phase)) for phase in phases)})"
    values: list[object] = []
    if task is not None:
        where += " and t.task = ?"
        values.append(task)
    if headers is not None:
        # `->` would need SQLite 3.38. Compared as JSON, so that 1 and "1" differ.
        each = "json_extract(t.options, '$.headers.' || json_quote(?)) = json_extract(?, '$')"
        where += f" and ({' or '.join([each] * len(headers)) or 'false'})"
        for name, value in headers.items():
            values += [name, json.dumps(value)]
    return f"{where} order by t.seq", values
