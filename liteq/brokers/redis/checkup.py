"""Whether the server keeps what it is given: the facts, and what they mean."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ...exceptions import BrokerError
from ..base import Finding, QueueCount
from .server import Server

_logger = logging.getLogger("liteq.broker")


class Facts(NamedTuple):
    """How a server is, in the order in which it is shown."""

    version: str
    role: str
    replicas: int
    memory: int  # bytes in use
    max_memory: int  # bytes; 0: no bound
    policy: str  # what it does when memory is full
    append_only: bool
    snapshots: str | None  # when it takes them; empty: never; None: it does not tell
    last_save_failed: bool
    dead_workers: int  # whose lease has ended
    tasks: dict[str, int]  # by phase


def gather(server: Server, counts: Sequence[QueueCount]) -> Facts:
    """The facts of `server`."""
    info = _info(server)
    tasks: Counter[str] = Counter()
    for count in counts:
        tasks[count.phase.name.lower()] += count.tasks
    return Facts(
        version=info.get("redis_version", "unknown"),
        role=info.get("role", "unknown"),
        replicas=int(info.get("connected_slaves", 0)),
        memory=int(info.get("used_memory", 0)),
        max_memory=int(info.get("maxmemory", 0)),
        policy=info.get("maxmemory_policy", "noeviction"),
        append_only=info.get("aof_enabled") == "1",
        snapshots=_snapshots(server),
        last_save_failed="err"
        in (info.get("rdb_last_bgsave_status"), info.get("aof_last_write_status")),
        dead_workers=len(server.run("dead_workers", 0.0, "")[0]),
        tasks=dict(tasks),
    )


def judge(facts: Facts) -> list[Finding]:
    """What they mean, worst first."""
    order = ("error", "warning", "note")
    return sorted(_findings(facts), key=lambda finding: order.index(finding.severity))


def warn_of_risks(server: Server) -> None:
    """Say in the log by which of its settings the server may lose tasks."""
    try:
        findings = judge(gather(server, ()))
    except BrokerError:
        return  # it went away meanwhile, or tells nobody
    for finding in findings:
        if finding.severity != "note":
            _logger.warning("%s: %s; %s", server.location.url, finding.what, finding.cure)


def _findings(facts: Facts) -> Iterator[Finding]:
    if facts.max_memory and facts.policy != "noeviction":
        yield Finding(
            "error",
            f"when its memory is full, the server throws tasks away ({facts.policy})",
            "set maxmemory-policy noeviction in redis.conf, and by CONFIG SET",
        )
    if facts.role == "slave":
        yield Finding(
            "error", "the server is a replica: nothing can be sent to it", "give the master's URL"
        )
    if facts.last_save_failed:
        yield Finding("error", "the server could not save to its disk the last time", "see its log")
    if not facts.append_only:
        since = "all tasks" if facts.snapshots == "" else "what came after its last snapshot"
        yield Finding(
            "warning",
            f"should the server die, {since} will be lost",
            "set appendonly yes in redis.conf, and by CONFIG SET",
        )
    if facts.dead_workers:
        yield Finding(
            "note",
            f"the lease of {facts.dead_workers} workers has ended",
            "the next worker takes back what they held, or liteq doctor --repair now",
        )


def _info(server: Server) -> dict[str, str]:
    answer: Any = server.ask("INFO")
    if isinstance(answer, dict):  # a cluster's client has read it
        return {str(name): str(value) for name, value in answer.items()}
    lines = answer.decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _snapshots(server: Server) -> str | None:
    try:
        answer = server.ask("CONFIG", "GET", "save")
    except BrokerError:  # many providers of Redis do not allow it
        return None
    value = answer.get("save", b"") if isinstance(answer, dict) else answer[1]
    return value if isinstance(value, str) else value.decode()
