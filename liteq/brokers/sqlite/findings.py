"""The findings about a store: what its facts mean, and the cure."""

from collections.abc import Iterator

from ..base import Examination, Finding
from .checkup import StoreFacts, gather_facts
from .location import SqliteLocation
from .session import Session

_LARGE_LOG = 64 * 2**20  # bytes; the checkpoint is at 2 MB unless a reader prevents it
_LITTLE_SPACE = 100 * 2**20  # bytes
_MUCH_EMPTY = 16 * 2**20  # bytes
_RESET_BUG = "sqlite.org/wal.html#walresetbug"


def examine(
    session: Session, location: SqliteLocation, now: float, *, thorough: bool
) -> Examination:
    """Return the facts about the store that `session` has open, and the findings about them."""
    facts = gather_facts(session, location, now, thorough=thorough)
    return Examination(facts._asdict(), find_faults(facts))


# Pure functions from here on.


def find_faults(facts: StoreFacts) -> list[Finding]:
    """Return the findings about `facts`, the worst first."""
    found = [*_file(facts), *_tasks(facts), *_space(facts), *_versions(facts)]
    return sorted(found, key=lambda each: ("error", "warning", "note").index(each.severity))


def _file(facts: StoreFacts) -> Iterator[Finding]:
    if facts.damage:
        yield Finding(
            "error",
            f"the file is damaged: {'; '.join(facts.damage)}",
            "stop all programs that use it; restore a backup, or save what can be read with "
            f"`sqlite3 {facts.path} .recover`",
        )
    for path, how in facts.intrusions.items():
        yield Finding(
            "error",
            f"{path} could be written by others ({how}), and the store may hold pickles",
            "chown it to the user of the workers, and chmod 600 it",
        )
    if facts.names > 1:
        yield Finding(
            "warning",
            f"the file has {facts.names} names (hard links)",
            "two programs that open it by different names destroy it: keep one, remove the others",
        )


def _tasks(facts: StoreFacts) -> Iterator[Finding]:
    if facts.orphans:
        yield Finding(
            "warning",
            f"{facts.orphans} running tasks belong to workers that died "
            f"({', '.join(facts.dead_workers)})",
            "any worker takes them back within a second of its start, and so does --repair",
        )
    if facts.strays:
        yield Finding(
            "error",
            f"{facts.strays} tasks are marked as running, and no worker has them",
            "the tables were changed by hand; --repair makes them ready again",
        )
    if facts.timeless:
        yield Finding(
            "error",
            f"{facts.timeless} tasks are scheduled without an eta",
            "they were inserted by hand without an eta; --repair makes them ready",
        )
    if facts.stuck:
        yield Finding(
            "error",
            f"{facts.stuck} tasks wait for others that have ended, or are not there",
            "the tables were changed by hand: revoke them, and send them again",
        )
    if facts.unadmitted or facts.leaked:
        yield Finding(
            "error",
            f"{facts.unadmitted} tasks wait for limits, and nobody lets them pass; {facts.leaked} "
            f"places are taken by tasks that have ended",
            "the tables were changed by hand; --repair lets them ask once more",
        )
    if facts.unknown:
        yield Finding(
            "warning",
            f"{facts.unknown} tasks are in a phase that is unknown here",
            "a newer liteq has them: no worker of this version runs, ends or deletes them, so use "
            "that one; or the tables were changed by hand: set a phase of `liteq.states.Phase`, or "
            "delete the rows",
        )
    if facts.closed_listeners:
        yield Finding(
            "note",
            f"{facts.closed_listeners} listeners belong to processes that are gone",
            "they are dropped with the next rescue, and by --repair",
        )
    if facts.ahead:
        yield Finding(
            "warning",
            f"{facts.ahead} tasks have a creation time in the future",
            "the clock was set back, or another machine's is ahead: etas, expiry and results that "
            "are kept follow the clock, so set it right",
        )


def _space(facts: StoreFacts) -> Iterator[Finding]:
    if facts.log_size > _LARGE_LOG:
        yield Finding(
            "warning",
            f"the log has {facts.log_size:,} bytes",
            "some program has been reading in one transaction for long: find and close it; then "
            "--repair moves the log into the file",
        )
    if facts.disk_free is not None and facts.disk_free < _LITTLE_SPACE:
        yield Finding(
            "warning",
            f"the disk has {facts.disk_free:,} bytes left",
            "on a full disk nothing can be sent and no result stored, until there is room again",
        )
    empty = facts.free_pages * facts.page_size
    if empty > _MUCH_EMPTY and facts.free_pages * 2 > facts.pages:
        vacuum = "`vacuum` by the application" if facts.shared else "`liteq doctor --vacuum`"
        yield Finding(
            "note",
            f"{empty:,} bytes of the file are empty",
            f"they are used again; {vacuum} gives them back to the system, while no program can "
            f"send or work",
        )


def _versions(facts: StoreFacts) -> Iterator[Finding]:
    version = tuple(int(part) for part in facts.sqlite.split("."))
    if not (version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51)):
        shared = (
            "liteq never does; let the application set `pragma wal_autocheckpoint = 0` in its "
            "connections, since workers do it, or use SQLite 3.51.3"
        )
        own = "liteq never does; let no other program write to the file with SQLite before 3.51.3"
        yield Finding(
            "note",
            f"SQLite {facts.sqlite} can damage a file in WAL mode when two processes checkpoint it "
            f"at once ({_RESET_BUG})",
            shared if facts.shared else own,
        )
