"""The files of a project that may use Celery. Nothing of what they hold is trusted."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

LONGEST = 4 * 1024 * 1024  # bytes; longer files are generated, and no people's code

_OTHERS = re.compile(
    r"(?i)procfile.*|dockerfile.*|.*\.dockerfile|makefile|\.env.*|.*\.(env|sh|service|conf|ini"
    r"|ya?ml|toml)"
)
_HINTS = re.compile(
    rb"(?i)celery|kombu|billiard|broker|apply_async|shared_task|\.(delay|retry|task|conf|control)\b"
)
_NOT_THE_PROJECT_S = ("__pycache__", "node_modules", "site-packages")


class File(NamedTuple):
    """A file that may use Celery: its path below the folder that is read, and its bytes."""

    path: str
    content: bytes

    @property
    def is_python(self) -> bool:
        """Return whether it is Python code, by its name or its first line."""
        first = self.content[:100].partition(b"\n")[0]
        return self.path.endswith(".py") or (first.startswith(b"#!") and b"python" in first)


class Unread(NamedTuple):
    """A file, or a folder, that cannot be read."""

    path: str
    why: str


def files_below(top: Path, excluded: Iterable[str] = ()) -> Iterator[File | Unread]:
    """Yield the files below `top`, or `top` itself, that may use Celery, in order.

    `excluded`: patterns of paths such as "tests/*" that are left out. Folders that hold no code of
    the project are left out as well: hidden ones, virtual environments and what Python and npm
    write. Links to folders are not followed, as they may lead round in a circle.
    """
    if not top.is_dir():
        found = _read(top, top.name)
        yield from [found] if found is not None else []
        return
    errors: list[OSError] = []
    for folder, folders, names in os.walk(top, onerror=errors.append):
        below = Path(folder).relative_to(top)
        folders[:] = sorted(
            name
            for name in folders
            if _is_project_s(Path(folder, name), str(below / name), excluded)
        )
        for name in sorted(names):
            path = str(below / name)
            if _is_of_a_kind(name) and not _is_excluded(path, excluded):
                found = _read(Path(folder, name), path)
                if found is not None:
                    yield found
    for error in errors:
        yield Unread(os.path.relpath(error.filename, top), str(error.strerror))


def _is_project_s(folder: Path, path: str, excluded: Iterable[str]) -> bool:
    hidden = folder.name.startswith(".") and folder.name != ".github"
    if hidden or folder.name in _NOT_THE_PROJECT_S or _is_excluded(path, excluded):
        return False
    return not (folder / "pyvenv.cfg").exists()


def _is_excluded(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern.rstrip("/")) for pattern in patterns)


def _is_of_a_kind(name: str) -> bool:
    return name.endswith(".py") or _OTHERS.fullmatch(name) is not None or "." not in name


def _read(file: Path, path: str) -> File | Unread | None:
    """Return a file; None for one that cannot use Celery, and for what is no file."""
    try:
        # Not to wait for somebody who writes into a pipe that has such a name.
        with open(os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as opened:
            facts = os.fstat(opened.fileno())
            if not stat.S_ISREG(facts.st_mode):
                return None
            content = opened.read(LONGEST + 1)
    except FileNotFoundError:  # a link to nothing, such as an editor's lock
        return None
    except OSError as error:
        return Unread(path, str(error.strerror))
    named = file.suffix or _OTHERS.fullmatch(file.name)
    if not _HINTS.search(content) or not (named or content.startswith(b"#!")):
        return None  # a file whose name says nothing may be a script
    if len(content) > LONGEST:
        return Unread(path, f"it is longer than {LONGEST // 1024 // 1024} MiB")
    return File(path, content)
