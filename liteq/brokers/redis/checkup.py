"""The facts of a server for `liteq doctor`, and which of its settings may lose tasks."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ...exceptions import BrokerError
from ..base import Finding, QueueCount
from .replies import text_of
from .rescue import dead_workers
from .server import Server

_logger = logging.getLogger("liteq.broker")


class ServerFacts(NamedTuple):
    """The facts of a server, in the order in which they are shown."""

    version: str
    role: str
    replicas: int
    memory: int  # bytes in use
    max_memory: int  # bytes; 0: no limit
    policy: str  # what it does when its memory is full
    append_only: bool
    snapshots: str | None  # when it saves them; empty: never; None: it does not say
    last_save_failed: bool
    delayed_writes: int  # how often a slow disk made it reply before it wrote its log
    dead_workers: int
    tasks: dict[str, int]  # by phase


def gather_facts(server: Server, counts: Sequence[QueueCount]) -> ServerFacts:
    """Return the facts of `server`; `counts` are those of its tasks."""
    info = _info(server)
    tasks: Counter[str] = Counter()
    for count in counts:
        tasks[count.phase.name.lower()] += count.tasks
    return ServerFacts(
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
        delayed_writes=int(info.get("aof_delayed_fsync", 0)),
        dead_workers=sum(1 for _ in dead_workers(server)),
        tasks=dict(tasks),
    )


def find_faults(facts: ServerFacts) -> list[Finding]:
    """Return what is wrong with a server, the worst first."""
    order = ("error", "warning", "note")
    return sorted(_findings(facts), key=lambda finding: order.index(finding.severity))


def warn_of_risks(server: Server) -> None:
    """Log a warning for each setting by which the server may lose tasks."""
    try:
        findings = find_faults(gather_facts(server, ()))
    except BrokerError:
        return  # the connection was lost meanwhile, or this user may not ask
    for finding in findings:
        if finding.severity != "note":
            _logger.warning("%s: %s; %s", server.location.url, finding.what, finding.cure)


def _findings(facts: ServerFacts) -> Iterator[Finding]:
    if facts.max_memory and facts.policy != "noeviction":
        yield Finding(
            "error",
            f"when its memory is full, the server evicts tasks ({facts.policy})",
            "set maxmemory-policy noeviction in redis.conf, and by CONFIG SET",
        )
    if facts.role == "slave":
        yield Finding(
            "error", "the server is a replica: nothing can be sent to it", "give the master's URL"
        )
    if facts.last_save_failed:
        yield Finding("error", "the server could not save to its disk the last time", "see its log")
    if not facts.append_only:
        what = "all tasks" if facts.snapshots == "" else "what came after its last snapshot"
        yield Finding(
            "warning",
            f"if the server is killed, {what} will be lost",
            "set appendonly yes in redis.conf, and by CONFIG SET",
        )
    if facts.append_only and facts.delayed_writes:
        yield Finding(
            "warning",
            f"its disk is slow: {facts.delayed_writes} times it could not write its log for two "
            "seconds and replied all the same; had it been killed then, that would be lost",
            "give it a faster disk, or set appendfsync always",
        )
    if facts.dead_workers:
        yield Finding(
            "note",
            f"{facts.dead_workers} workers are dead",
            "the next worker takes back what they held, or liteq doctor --repair now",
        )


def _info(server: Server) -> dict[str, str]:
    reply: Any = server.execute("INFO")
    if isinstance(reply, dict):  # a cluster's client has parsed it
        return {str(name): str(value) for name, value in reply.items()}
    lines = text_of(reply).splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _snapshots(server: Server) -> str | None:
    try:
        reply = server.execute("CONFIG", "GET", "save")
    except BrokerError:  # many providers of Redis do not allow it
        return None
    if isinstance(reply, dict):  # a cluster's client has parsed it
        value = reply.get("save", b"")
    else:
        _, value = reply
    return value if isinstance(value, str) else text_of(value)
