"""A store may name any file: only a scoreboard of one's own is opened, or deleted."""

import os
import tempfile
from pathlib import Path

import pytest

from liteq.pools.scoreboard import OwnScoreboard, open_scoreboard, remove, started_tokens


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_slots_have_started_is_read_by_the_name_that_the_store_has(folder: Path) -> None:
    board = OwnScoreboard(2)
    board.write(1, ticket=1, token=7)

    assert started_tokens(board.name) == frozenset({7})
    assert [path.name for path in folder.iterdir()] == [board.name]
    board.remove()
    assert list(folder.iterdir()) == []
    assert started_tokens(board.name) is None


@pytest.mark.skipif(os.name != "posix", reason="opened by its path there")
def test_a_child_opens_it_although_the_file_was_deleted(folder: Path) -> None:
    """As by what cleans temporary folders of files that nobody has touched for ten days."""
    board = OwnScoreboard(1)
    (folder / board.name).unlink()
    assert isinstance(board.handle, int)
    open_scoreboard(os.dup(board.handle)).write(0, ticket=1, token=7)

    assert board.read(0).token == 7
    board.remove()


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "/tmp/liteq-board-x",
        "../liteq-board-x",
        "liteq-board-../x",
        "liteq-board-",
        "liteq-board-x\n",
        "liteq-board-x\0",
        "liteq-board-x:stream",
        r"\\host\share\liteq-board-x",
        r"C:\liteq-board-x",
        r"liteq-board-x\..",
        "con",
        "",
        "liteq-board-" + "x" * 5000,
    ],
)
def test_a_name_that_is_no_name_of_a_scoreboard_opens_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if len(name) < 100:

        def fail(*args: object) -> None:
            raise AssertionError(f"{args} was touched")

        for call in ("open", "unlink", "lstat", "stat"):
            monkeypatch.setattr(os, call, fail)

    assert started_tokens(name) is None
    remove(name)


@pytest.mark.skipif(os.name != "posix", reason="files of POSIX")
def test_only_a_plain_file_of_this_user_is_a_scoreboard(folder: Path) -> None:
    (folder / "target").write_bytes(bytes(24))
    (folder / "liteq-board-link").symlink_to(folder / "target")
    os.mkfifo(folder / "liteq-board-pipe")
    (folder / "liteq-board-folder").mkdir()
    names = ["liteq-board-link", "liteq-board-pipe", "liteq-board-folder"]
    if os.geteuid() == 0:
        (folder / "liteq-board-other").write_bytes(bytes(24))
        os.chown(folder / "liteq-board-other", 12345, 12345)
        names.append("liteq-board-other")
    before = sorted(folder.iterdir())
    for name in names:
        assert started_tokens(name) is None
        remove(name)

    assert sorted(folder.iterdir()) == before
