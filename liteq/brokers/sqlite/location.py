"""The location of a store, and the checks that it is safe to keep pickles there."""

import os
import re
import stat
import sys
import warnings
from contextlib import suppress
from typing import NamedTuple

from ...exceptions import BrokerInsecure, BrokerUnavailable, ConfigurationError
from .mounts import network_file_system

# Suffixes of the files beside that of the store. It has a journal only until it is created; but one
# that another user puts there would be played into the file.
COMPANIONS = ("-wal", "-shm", "-gate", "-journal")
DURABILITIES = ("safe", "strict", "fast")

# What is read and written without `urllib.parse`, which takes 3 ms to import.
_PLAIN_URL = re.compile(r"sqlite:///([\w./-]+)(?:\?durability=(\w+))?", re.ASCII)
_PLAIN_PATH = re.compile(r"[\w./-]+", re.ASCII)


class SqliteLocation(NamedTuple):
    """The file of a store, and how durably it is written."""

    path: str
    durability: str

    @property
    def url(self) -> str:
        """Return the URL of this location, in one spelling."""
        return f"sqlite:///{_quoted(self.path)}?durability={self.durability}"


def locate(url: str) -> SqliteLocation:
    """Read `sqlite:///relative.db`, `sqlite:////absolute.db` or `sqlite:///C:/windows.db`.

    `?durability=` is `safe` (default), `strict` or `fast`. Percent signs are decoded. Raises
    ConfigurationError for anything else.
    """
    plain = _PLAIN_URL.fullmatch(url)
    path, durability = (plain[1], plain[2] or "safe") if plain else _read(url)
    if durability not in DURABILITIES:
        raise ConfigurationError(
            f"durability={durability!r} in {url!r}: choose one of {', '.join(DURABILITIES)}"
        )
    # realpath: two spellings of one path must share one set of locks.
    return SqliteLocation(os.path.realpath(path), durability)


def _read(url: str) -> tuple[str, str]:
    """Return the path and the durability that any `url` names, decoded.

    Raises ConfigurationError if it names no file, or has an unknown option.
    """
    from urllib.parse import parse_qsl, unquote, urlsplit

    parts = urlsplit(url)
    if parts.netloc or not parts.path.startswith("/") or len(parts.path) < 2:
        raise ConfigurationError(
            f"{url!r} names no file: write sqlite:///relative.db or sqlite:////absolute/path.db"
        )
    if parts.fragment:
        raise ConfigurationError(f"{url!r} has a # in it: write it as %23")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    durability = options.pop("durability", "safe")
    if options:
        raise ConfigurationError(
            f"unknown option {next(iter(options))!r} in {url!r}: there is only durability="
        )
    return unquote(parts.path[1:]), durability


def _quoted(path: str) -> str:
    if _PLAIN_PATH.fullmatch(path):
        return path
    from urllib.parse import quote

    return quote(path)


def lock_file(path: str) -> str:
    """Return the path of the lock file of the store at `path`."""
    return f"{path}-gate"


def default_url(name: str | None) -> str:
    """Return the URL of the application `name`: a file in the user's state folder.

    It does not depend on the working folder, so that producer and worker use the same one.
    """
    safe = re.sub(r"[^\w.-]", "_", name or "default")
    return f"sqlite:///{os.path.join(_state_folder(), 'liteq', safe)}.db".replace("\\", "/")


def check_exists(path: str) -> None:
    """Raise BrokerUnavailable if there is no store at `path`."""
    if not os.path.lexists(path):
        raise BrokerUnavailable(
            f"there is no such store: {path}. Nothing was ever sent to it, or the URL, perhaps "
            f"that of -A or -b, names another one than you think"
        )


def prepare(path: str) -> None:
    """Create the file if it does not exist (0600, in a 0700 folder); refuse one that is not safe.

    It never opens a file that exists: closing it again would drop the locks of every connection
    that this process has to it (sqlite.org/howtocorrupt.html, section 2.2).

    Raises BrokerUnavailable when the file or its folder cannot be written, BrokerInsecure when
    others could write them, ConfigurationError for a path that is no regular file or on a
    network file system.
    """
    if os.path.lexists(path):
        _check(path)
    else:
        _create(path)
    _check_folder(path)


def _create(path: str) -> None:
    folder = os.path.dirname(path)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        make_folder(folder)
        os.close(os.open(path, flags, 0o600))
    except FileExistsError:
        pass  # another process was faster, and created it as we would
    except OSError as exc:
        raise BrokerUnavailable(
            f"cannot create {path}: {exc.strerror}; choose another file with broker= or "
            f"LITEQ_BROKER_URL, or make {folder} writable"
        ) from exc


def make_folder(folder: str) -> None:
    """Create `folder` and its parents, all for this user only (`os.makedirs`: only the last)."""
    if not os.path.isdir(folder):
        make_folder(os.path.dirname(folder))
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)


def _check(path: str) -> None:
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):  # `locate` resolved links, so this one is new
        raise BrokerInsecure(f"{path} was replaced by a symbolic link: see who did that")
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(f"{path} is not a file: choose another one with broker=")
    if not os.access(path, os.R_OK | os.W_OK):
        raise BrokerUnavailable(
            f"{path} is not writable for this user (uid {_uid()}, owner {found.st_uid}, "
            f"mode {stat.filemode(found.st_mode)}): chown or chmod it, or see whether the disk is "
            f"mounted read-only"
        )
    if found.st_nlink > 1:
        warnings.warn(
            f"{path} has {found.st_nlink} names (hard links): two programs that open it by "
            f"different names destroy it; keep one and remove the others",
            RuntimeWarning,
            stacklevel=2,
        )
    for each in (path, *(path + tail for tail in COMPANIONS)):
        if (fault := foreign_access(each)) is not None:
            raise BrokerInsecure(
                f"{each} could be written by others ({fault}), and the store may hold pickles: "
                f"chown it to this user and chmod 600 it"
            )


def foreign_access(path: str) -> str | None:
    """Return the owner and mode by which others than this user and root can write the file."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    if sys.platform == "win32" or stat.S_ISLNK(found.st_mode):
        return None  # SQLite follows no link there
    if found.st_uid in (os.geteuid(), 0) and not found.st_mode & 0o022:
        return None
    return f"owner {found.st_uid}, mode {stat.filemode(found.st_mode)}"


def _check_folder(path: str) -> None:
    folder = os.path.dirname(path)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BrokerUnavailable(
            f"{folder} is not writable for this user (uid {_uid()}), and SQLite keeps files of its "
            f"own beside {os.path.basename(path)}: chown or chmod it, or see whether the disk is "
            f"mounted read-only"
        )
    if sys.platform != "win32" and (whom := _writers(os.stat(folder))) is not None:
        raise BrokerInsecure(
            f"{folder} can be written by {whom}, so that others could replace the store: "
            f"chmod go-w it, or choose another folder"
        )
    if (kind := network_file_system(path)) is not None:
        raise ConfigurationError(
            f"{path} is on a network file system ({kind}), where SQLite's locks and shared memory "
            f"do not work: choose a file on a local disk with broker= or LITEQ_BROKER_URL"
        )


def _writers(folder: os.stat_result) -> str | None:
    """Return which others may replace files in the folder, in words; None when nobody may."""
    mode = folder.st_mode
    if mode & stat.S_ISVTX:
        return None  # as in /tmp: only the owner of a file can replace it
    if mode & 0o002:
        return f"everybody (mode {stat.filemode(mode)})"
    if mode & 0o020 and not _is_private(folder.st_gid):
        return f"its group {folder.st_gid} (mode {stat.filemode(mode)})"
    return None


def _is_private(group: int) -> bool:
    """Return whether nobody but this user and root is in the group.

    Many systems give each user a group of the same name, and make folders that it may write.
    """
    import grp
    import pwd

    try:
        found, user = grp.getgrgid(group), pwd.getpwuid(os.geteuid())
    except KeyError:
        return group == 0
    others = {*found.gr_mem} - {user.pw_name, "root"}
    return not others and (group == 0 or (user.pw_gid == group and found.gr_name == user.pw_name))


def _uid() -> int | str:
    return "unknown" if sys.platform == "win32" else os.geteuid()


def _state_folder() -> str:
    if base := os.environ.get("XDG_STATE_HOME"):
        return base
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        return os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Application Support")
    return os.path.join(home, ".local", "state")
