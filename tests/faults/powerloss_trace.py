"""What a program did to its files, read from a log of strace.

A write counts from the moment it is asked for, and everything else from the moment it is done:
between the two a sync may have happened or not.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

CALLS = "openat,lseek,pwrite64,write,ftruncate,fdatasync,fsync,?unlink,?unlinkat"
# All processes and threads; descriptors with the paths of their files; strings in hexadecimal.
OPTIONS = ["-f", "-y", "-qq", "-xx", "-s", "10000000", "-e", f"trace={CALLS}"]

_CALL = re.compile(r"(\w+)\((.*)")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FILE = re.compile(r"\d+<((?:\\x[0-9a-f]{2})+)>")
_LAST_NUMBER = re.compile(r", (\d+)(?:\)|$)")
_WRITES = ("pwrite64(", "write(", "ftruncate(")


class Create(NamedTuple):
    """A file was opened, and made if it was not there."""

    path: Path


class Write(NamedTuple):
    """Bytes were written."""

    path: Path
    offset: int
    data: bytes


class Resize(NamedTuple):
    """A file was cut or grown."""

    path: Path
    size: int


class Sync(NamedTuple):
    """What was done to a file, or to the names in a folder, is on the disk."""

    path: Path


class FailedSync(NamedTuple):
    """The disk failed, and what was to be synced may never be written: for the system it is."""

    path: Path


class Unlink(NamedTuple):
    """A name was taken away."""

    path: Path


class Note(NamedTuple):
    """The program told the world: from here on it is held to it."""

    text: str


Event = Create | Write | Resize | Sync | FailedSync | Unlink | Note


def events(lines: Iterable[str], folder: Path, notes: Path) -> list[Event]:
    """What happened in `folder`, in order. What was appended to the file `notes` are notes."""
    found: list[Event] = []
    places: dict[Path, int] = {}  # where the next `write` goes: one descriptor a file is enough
    for call in _calls(lines):
        event = _event(call, notes, places)
        if isinstance(event, Note) or (event and folder in (event.path, event.path.parent)):
            found.append(event)
    return found


def _calls(lines: Iterable[str]) -> Iterator[str]:
    """The calls that changed something, each in one piece, in the order in which they count."""
    begun: dict[str, str] = {}
    for line in lines:
        thread, _, text = line.strip().partition(" ")
        text = text.lstrip()
        if text.endswith("<unfinished ...>"):
            begun[thread] = text = text.removesuffix("<unfinished ...>").rstrip()
            if text.startswith(_WRITES):
                yield text
            continue
        if text.startswith("<..."):
            beginning = begun.pop(thread)
            if beginning.startswith(_WRITES):
                continue
            text = beginning + text.partition("resumed>")[2]
        if " = -1 " not in text or "sync(" in text:
            yield text


def _event(call: str, notes: Path, places: dict[Path, int]) -> Event | None:
    parts = _CALL.match(call)
    if parts is None:
        return None
    name, rest = parts.groups()
    if name.startswith("unlink"):
        return Unlink(_path(_STRING, rest))
    if name == "openat":
        return Create(_path(_FILE, rest.rpartition(" = ")[2])) if "O_CREAT" in rest else None
    if not _FILE.match(rest):
        return None  # a pipe or a socket
    path = _path(_FILE, rest)
    match name:
        case "pwrite64":
            return Write(path, _number(rest), _bytes(_STRING, rest))
        case "ftruncate":
            return Resize(path, _number(rest))
        case "lseek":
            places[path] = int(rest.rpartition(" = ")[2])
            return None
        case "write":
            return _written(path, _bytes(_STRING, rest), notes, places)
        case _:
            return FailedSync(path) if " = -1 " in rest else Sync(path)


def _written(path: Path, data: bytes, notes: Path, places: dict[Path, int]) -> Event | None:
    if path == notes:
        return Note(data.decode())
    if path not in places:
        return None  # it is not the disk's
    places[path] += len(data)
    return Write(path, places[path] - len(data), data)


def _bytes(pattern: re.Pattern[str], text: str) -> bytes:
    found = pattern.search(text)
    assert found, text[:200]
    return bytes.fromhex(found[1].replace("\\x", ""))


def _path(pattern: re.Pattern[str], text: str) -> Path:
    return Path(_bytes(pattern, text).decode())


def _number(text: str) -> int:
    """The last argument: an offset, or a size."""
    found = _LAST_NUMBER.search(text, text.rfind('"') + 1)
    assert found, text[-200:]
    return int(found[1])
