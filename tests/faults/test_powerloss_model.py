"""The reader of traces and the disk that loses its power, each by itself."""

import re
from pathlib import Path
from random import Random

import pytest

from tests.faults.powerloss_disk import FATES, SECTOR, Disk, any_sectors
from tests.faults.powerloss_trace import (
    Create,
    FailedSync,
    Note,
    Resize,
    Sync,
    Unlink,
    Write,
    events,
)

DISK = Path("/disk")
FILE = DISK / "store.db"
OLD, NEW = b"o" * 3 * SECTOR, b"n" * 3 * SECTOR


def hexed(text: str) -> str:
    return "".join(f"\\x{ord(letter):02x}" for letter in text)


def line(call: str) -> str:
    """A line of strace, from one with `FILE` and "text" in it."""
    named = call.replace("FILE", f"3<{hexed('/disk/store.db')}>").replace(
        "DISK", f"4<{hexed('/disk')}>"
    )
    hidden = re.sub('"([^"]*)"', lambda found: f'"{hexed(found[1])}"', named)
    return f"7  {hidden}"


@pytest.mark.parametrize(
    ("call", "event"),
    [
        ('openat(AT_FDCWD, "store.db", O_RDWR|O_CREAT, 0600) = FILE', Create(FILE)),
        ('pwrite64(FILE, "abc", 3, 512) = 3', Write(FILE, 512, b"abc")),
        ("ftruncate(FILE, 100) = 0", Resize(FILE, 100)),
        ("fdatasync(FILE) = 0", Sync(FILE)),
        ("fsync(DISK) = 0", Sync(DISK)),
        ("fdatasync(FILE) = -1 EIO (Input/output error) (INJECTED)", FailedSync(FILE)),
        ('unlink("/disk/store.db") = 0', Unlink(FILE)),
    ],
)
def test_a_call_that_changes_the_disk_is_an_event(call: str, event: object) -> None:
    assert events([line(call)], DISK, Path("/notes")) == [event]


def test_what_the_program_tells_is_a_note() -> None:
    told = [line('write(FILE, "sent 1", 6) = 6')]

    assert events(told, DISK, FILE) == [Note("sent 1")]
    assert events(told, DISK, Path("/notes")) == []


def test_what_is_written_where_the_file_was_wound_to_is_a_write() -> None:
    calls = ["lseek(FILE, 8, SEEK_SET) = 8", 'write(FILE, "ab", 2) = 2', 'write(FILE, "c", 1) = 1']

    found = events(map(line, calls), DISK, Path("/notes"))
    assert found == [Write(FILE, 8, b"ab"), Write(FILE, 10, b"c")]


def test_what_failed_and_what_is_elsewhere_is_no_event() -> None:
    calls = ["ftruncate(FILE, 1) = -1 EIO (Input/output error)", 'openat(1, "x", O_RDONLY) = FILE']

    assert events(map(line, calls), DISK, Path("/notes")) == []
    assert events([line("fdatasync(FILE) = 0")], Path("/other"), Path("/notes")) == []


def test_a_write_counts_when_it_is_begun_and_a_sync_when_it_is_done() -> None:
    lines = [
        line("fdatasync(FILE <unfinished ...>").replace("7 ", "8 ", 1),
        line('pwrite64(FILE, "a", 1, 0 <unfinished ...>'),
        "8  <... fdatasync resumed>) = 0",
        "7  <... pwrite64 resumed>) = 1",
    ]

    assert events(lines, DISK, Path("/notes")) == [Write(FILE, 0, b"a"), Sync(FILE)]


def images(*happened: Create | Write | Resize | Sync | Unlink) -> list[dict[Path, bytes]]:
    disk = Disk([Create(FILE), *happened])
    chance = Random(0)
    return [disk.after_power_cut(chance) for _ in range(300)]


def test_what_was_synced_is_there() -> None:
    for image in images(Write(FILE, 0, OLD), Sync(FILE), Sync(DISK)):
        assert image == {FILE: OLD}


def test_of_what_was_not_synced_anything_may_be_there() -> None:
    found = {
        image[FILE]
        for image in images(Write(FILE, 0, OLD), Sync(FILE), Sync(DISK), Write(FILE, 0, NEW))
    }
    sectors = {tuple(data[n] for n in range(0, len(data), SECTOR)) for data in found}

    assert len(sectors) == 2**3  # each sector is the old or the new one
    assert {len(data) for data in found} == {len(OLD)}


def test_a_sector_is_never_torn() -> None:
    pieces = any_sectors(Random(1), [Write(FILE, SECTOR - 2, b"abcd")] * 50)

    assert {(each.offset, each.data) for each in pieces if isinstance(each, Write)} == {
        (SECTOR - 2, b"ab"),
        (SECTOR, b"cd"),
    }


def test_a_later_write_may_be_there_without_an_earlier_one() -> None:
    found = {
        image[FILE] for image in images(Sync(DISK), Write(FILE, 0, b"a"), Write(FILE, 1, b"b"))
    }

    assert found == {b"", b"a", b"\0b", b"ab"}


def test_what_a_failed_sync_should_have_written_is_seen_but_never_there() -> None:
    disk = Disk(
        [Create(FILE), Sync(DISK), Write(FILE, 0, OLD), FailedSync(FILE), Sync(FILE)],
    )

    assert disk.now() == {FILE: OLD}
    assert disk.after_power_cut(Random(0)) == {FILE: b""}


def test_a_write_after_a_failed_sync_takes_its_page_along() -> None:
    disk = Disk([Create(FILE), Sync(DISK), Write(FILE, 0, OLD), FailedSync(FILE)])
    for event in (Write(FILE, 0, b"n"), Sync(FILE)):
        disk.happen(event)

    assert disk.after_power_cut(Random(0)) == {FILE: b"n" + OLD[1:]}


def test_a_name_is_certain_when_its_folder_was_synced() -> None:
    assert {frozenset(image) for image in images()} == {frozenset(), frozenset([FILE])}
    assert {frozenset(image) for image in images(Sync(DISK), Unlink(FILE))} == {
        frozenset(),
        frozenset([FILE]),
    }
    assert images(Sync(DISK), Unlink(FILE), Sync(DISK)) == [{}] * 300


def test_a_program_sees_all_that_it_did() -> None:
    disk = Disk([Create(FILE), Write(FILE, 2, b"abcdef"), Resize(FILE, 4), Resize(FILE, 5)])

    assert disk.now() == {FILE: b"\0\0ab\0"}
    assert len(FATES) == 5
