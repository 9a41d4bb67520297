"""The statements of `statements.sql`, by name."""

import pkgutil
import re

_HEAD = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def read(name: str) -> str:
    """The text of a file beside this one."""
    data = pkgutil.get_data(__package__, name)
    assert data is not None, f"{name} is missing from the installation"
    return data.decode()


def without_comments(text: str) -> str:
    """`text` without what stands behind `--`."""
    return re.sub(r"--.*", "", text)


def parse(text: str) -> dict[str, str]:
    """Statements by the name in the `-- name:` line above each; comments are dropped."""
    _, *parts = _HEAD.split(text)
    return {
        name: without_comments(body).strip()
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


SQL = parse(read("statements.sql"))


def claim_sql(queues: int) -> str:
    """The claim for that many queues; their names are bound as `:q0`, `:q1`, …"""
    if queues == 1:
        return SQL["claim"].format(ready=SQL["ready_one"])
    each = " union all ".join(SQL["ready_each"].format(n=n) for n in range(queues))
    return SQL["claim"].format(ready=SQL["ready_many"].format(each=each))
