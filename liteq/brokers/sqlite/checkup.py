"""The facts about a store, and its repair. findings.py says what the facts mean."""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from ...exceptions import BrokerCorrupt
from ...states import Phase
from .limits import mend as mend_limits
from .listeners import dead_listeners
from .location import COMPANIONS, SqliteLocation, foreign_access
from .mounts import file_system_of
from .registry import is_dead
from .rows import WorkerRow
from .session import Session, WriteOptions
from .statements import SQL, load

_CHECKUP = load("checkup.sql")
_PHASES = frozenset(map(int, Phase))
_AHEAD = 60.0  # seconds that `created` may lie in the future: clocks are set by small steps
_LISTED = 10  # faults of the file that are listed one by one


class StoreFacts(NamedTuple):
    """The facts about a store, in the order in which they are shown."""

    path: str
    durability: str
    shared: bool
    size: int  # bytes
    log_size: int
    disk_free: int | None
    file_system: str | None
    owner: int  # uid
    mode: str
    names: int  # hard links
    intrusions: dict[str, str]  # files that others could write, and how
    sqlite: str
    schema: int
    page_size: int
    pages: int
    free_pages: int
    not_ours: list[str]  # tables of an application, at which nothing looks
    damage: list[str]
    tasks: dict[str, int]  # by phase
    unknown: int  # tasks in a phase that this version does not have
    ahead: int  # tasks from the future
    dead_workers: list[str]  # names
    orphans: int  # running tasks of dead workers
    strays: int  # running tasks without a worker
    timeless: int  # scheduled tasks without a time
    stuck: int  # tasks that wait for what has ended or does not exist
    unadmitted: int  # tasks that wait for limits, and nobody lets them pass
    leaked: int  # limits taken by tasks that have ended
    closed_listeners: int


def gather_facts(
    session: Session, location: SqliteLocation, now: float, *, thorough: bool
) -> StoreFacts:
    """Return the facts about the store that `session` has open; `thorough` checks indexes too."""
    path, durability, shared = location
    found = os.stat(path)
    damage: list[str] = []
    tables = [name for (name,) in _rows(session, damage, _CHECKUP["tables"])]
    ours = [name for name in tables if name.startswith("liteq_")]
    _check_pages(session, damage, ours if shared else [], thorough=thorough)
    phases = _rows(session, damage, _CHECKUP["phases"])
    workers = map(WorkerRow._make, _rows(session, damage, SQL["workers"]))
    dead = [worker for worker in workers if is_dead(worker, path)]

    def number(sql: str, *values: object) -> int:
        return sum(int(value) for (value,) in _rows(session, damage, sql, values))

    def count(name: str, *values: object) -> int:
        return number(_CHECKUP[name], *values)

    def pragma(name: str) -> int:
        return number(f"pragma {name}")

    return StoreFacts(
        path=path,
        durability=durability,
        shared=shared,
        size=found.st_size,
        log_size=session.log_size(),
        disk_free=_disk_free(path),
        file_system=file_system_of(path),
        owner=found.st_uid,
        mode=stat.filemode(found.st_mode),
        names=found.st_nlink,
        intrusions=_intrusions(path),
        sqlite=sqlite3.sqlite_version,
        schema=number(_CHECKUP["schema"]),
        page_size=pragma("page_size"),
        pages=pragma("page_count"),
        free_pages=pragma("freelist_count"),
        not_ours=[name for name in tables if name not in ours],
        tasks={_phase(phase): tasks for phase, tasks in phases},
        unknown=sum(tasks for phase, tasks in phases if phase not in _PHASES),
        ahead=count("ahead", now + _AHEAD),
        dead_workers=[worker.name for worker in dead],
        orphans=sum(count("held", worker.id) for worker in dead),
        strays=count("strays"),
        timeless=count("timeless"),
        stuck=count("stuck"),
        unadmitted=number(_CHECKUP["unasked"], now) + count("left_lines"),
        leaked=count("leaked_uses"),
        closed_listeners=len(dead_listeners(_rows(session, damage, SQL["listeners"]))),
        damage=damage,
    )


def repair(session: Session, level: WriteOptions, now: float) -> list[str]:
    """Repair what is safe to repair; return what was done, in words."""

    def work(db: sqlite3.Connection) -> list[str]:
        dead = dead_listeners(db.execute(SQL["listeners"]).fetchall())
        db.executemany(SQL["unlisten"], dead)
        strays = db.execute(_CHECKUP["release_strays"]).rowcount
        timeless = db.execute(_CHECKUP["start_timeless"]).rowcount
        limited = mend_limits(db, _CHECKUP, now)
        done = {
            "gave back {} running tasks that no worker has": strays,
            "made {} scheduled tasks without a time ready": timeless,
            "let {} tasks ask their limits once more": limited,
            "dropped {} listeners of processes that are gone": len(dead),
        }
        return [text.format(number) for text, number in done.items() if number]

    done = session.write(level, work)
    session.notify_workers()
    before = session.log_size()
    if before and session.checkpoint():
        done.append(f"moved the log of {before} bytes into the file")
    return done


def _rows(
    session: Session, damage: list[str], sql: str, values: tuple[object, ...] = ()
) -> list[tuple[Any, ...]]:
    """Return the rows of a query; none where the file is damaged, with the reason in `damage`."""
    try:
        return session.read(sql, values)
    except BrokerCorrupt as exc:
        text = str(exc.__cause__)
        if text not in damage:
            damage.append(text)
        return []


def _check_pages(session: Session, damage: list[str], tables: list[str], *, thorough: bool) -> None:
    """Add to `damage` what is wrong with the pages of `tables`, or of all the file if none."""
    check = "integrity_check" if thorough else "quick_check"
    for what in [_quoted(name) for name in tables] or [str(_LISTED)]:
        for (line,) in _rows(session, damage, f"pragma {check}({what})"):
            damage += [text for text in str(line).splitlines() if text != "ok"]
    del damage[_LISTED:]


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _phase(number: int) -> str:
    with suppress(ValueError):
        return Phase(number).name.lower()
    return f"phase {number}"  # of a newer liteq, or written by hand


def _intrusions(path: str) -> dict[str, str]:
    found = {each: foreign_access(each) for each in (path, *(path + tail for tail in COMPANIONS))}
    return {each: how for each, how in found.items() if how}


def _disk_free(path: str) -> int | None:
    statvfs: Callable[[str], os.statvfs_result] | None = getattr(os, "statvfs", None)
    if statvfs is None:
        return None
    disk = statvfs(path)
    return disk.f_bavail * disk.f_frsize
