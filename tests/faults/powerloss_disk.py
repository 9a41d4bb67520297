"""A disk that loses its power.

What was synced is there. Of what was written since, anything may be: nothing, all, the first part,
any of it in any order, and of each write any of its sectors. Names in a folder come and go in
order, as in every file system with a journal.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random

from tests.faults.powerloss_trace import Create, Event, FailedSync, Resize, Sync, Unlink, Write

PAGE = 4096  # bytes that a system writes at once
SECTOR = 512  # bytes that a disk writes whole or not at all
Change = Write | Resize
Names = dict[Path, "File"]


class File:
    """What programs see of a file, what is certain of it, and what was written since."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.certain = bytearray()
        self.pending: list[Change] = []
        self._failed = False

    def change(self, change: Change) -> None:
        apply(self.seen, [change])
        if self._failed and isinstance(change, Write):
            # The system writes whole pages, with what it has in memory.
            start = change.offset - change.offset % PAGE
            end = change.offset + len(change.data) + PAGE - 1
            change = Write(change.path, start, bytes(self.seen[start : end - end % PAGE]))
        self.pending.append(change)

    def sync(self) -> None:
        apply(self.certain, self.pending)
        self.pending = []

    def fail(self) -> None:
        """The worst that a failed sync can mean: the system forgets that there is more to write."""
        self.pending = []
        self._failed = True

    def after(self, changes: Iterable[Change]) -> bytes:
        """The file with some of what is pending."""
        image = bytearray(self.certain)
        apply(image, changes)
        return bytes(image)


class Disk:
    """The files of one folder."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._names: list[Names] = [{}]  # the certain ones, and each change since
        for event in events:
            self.happen(event)

    def happen(self, event: Event) -> None:
        """Do what the program did."""
        names = self._names[-1]
        match event:
            case Create(path) if path not in names:
                self._names.append({**names, path: File()})
            case Unlink(path) if path in names:
                self._names.append({name: file for name, file in names.items() if name != path})
            case Write() | Resize() if event.path in names:
                names[event.path].change(event)
            case Sync(path) if path in names:
                names[path].sync()
            case FailedSync(path) if path in names:
                names[path].fail()
            case Sync(path) if not path.suffix:  # the folder itself
                self._names = [names]
            case _:
                pass  # what is unlinked already, or none of the disk's business

    def now(self) -> dict[Path, bytes]:
        """The files as programs see them while there is power."""
        return {path: bytes(file.seen) for path, file in self._names[-1].items()}

    def after_power_cut(self, random: Random) -> dict[Path, bytes]:
        """The files as they may be found afterwards."""
        names = random.choice(self._names)
        return {
            path: file.after(random.choice(FATES)(random, file.pending))
            for path, file in names.items()
        }


def apply(image: bytearray, changes: Iterable[Change]) -> None:
    """Make `changes` to `image`; what is skipped over is zeros."""
    for change in changes:
        if isinstance(change, Resize):
            del image[change.size :]
            image.extend(bytes(change.size - len(image)))
        else:
            image.extend(bytes(max(0, change.offset - len(image))))
            image[change.offset : change.offset + len(change.data)] = change.data


# What may have become of the changes that were not synced.


def none_of_it(random: Random, changes: list[Change]) -> list[Change]:
    return []


def all_of_it(random: Random, changes: list[Change]) -> list[Change]:
    return changes


def the_first_part(random: Random, changes: list[Change]) -> list[Change]:
    return changes[: random.randint(0, len(changes))]


def any_of_it(random: Random, changes: list[Change]) -> list[Change]:
    often = random.random()
    return [each for each in changes if random.random() < often]


def any_sectors(random: Random, changes: list[Change]) -> list[Change]:
    often = random.random()
    pieces = [piece for each in changes for piece in _sectors(each)]
    return [each for each in pieces if random.random() < often]


def _sectors(change: Change) -> Iterator[Change]:
    """`change` in the pieces that a disk writes whole."""
    if isinstance(change, Resize):
        yield change
        return
    start, end = change.offset, change.offset + len(change.data)
    while start < end:
        stop = min(end, start - start % SECTOR + SECTOR)
        yield Write(change.path, start, change.data[start - change.offset : stop - change.offset])
        start = stop


Fate = Callable[[Random, list[Change]], list[Change]]
FATES: list[Fate] = [none_of_it, all_of_it, the_first_part, any_of_it, any_sectors]
