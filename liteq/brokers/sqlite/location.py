"""Where a store is, and whether it is safe to keep pickles there."""

import os
import re
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ...exceptions import BrokerInsecure, BrokerUnavailable, ConfigurationError

DURABILITIES = ("safe", "strict", "fast")


class Location(NamedTuple):
    """A store's file and how carefully it is written."""

    path: str
    durability: str

    @property
    def url(self) -> str:
        """The URL that leads here, in one spelling."""
        return f"sqlite:///{quote(self.path)}?durability={self.durability}"


def locate(url: str) -> Location:
    """Read `sqlite:///relative.db`, `sqlite:////absolute.db` or `sqlite:///C:/windows.db`.

    `?durability=` is `safe` (default), `strict` or `fast`. Percent signs are decoded. Raises
    ConfigurationError for anything else.
    """
    parts = urlsplit(url)
    if parts.netloc or not parts.path.startswith("/") or len(parts.path) < 2:
        raise ConfigurationError(
            f"{url!r} names no file: write sqlite:///relative.db or sqlite:////absolute/path.db"
        )
    if parts.fragment:
        raise ConfigurationError(f"{url!r} has a # in it: write it as %23")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    durability = options.pop("durability", "safe")
    if durability not in DURABILITIES:
        raise ConfigurationError(
            f"durability={durability!r} in {url!r}: choose one of {', '.join(DURABILITIES)}"
        )
    if options:
        raise ConfigurationError(
            f"unknown option {next(iter(options))!r} in {url!r}: there is only durability="
        )
    # realpath: two spellings of one file must share one set of locks and one gate.
    return Location(os.path.realpath(unquote(parts.path[1:])), durability)


def default_url(name: str | None) -> str:
    """The store of the application `name` in the user's state folder.

    The same whatever the working folder, so that producer and worker meet.
    """
    safe = re.sub(r"[^\w.-]", "_", name or "default")
    return f"sqlite:///{_state_folder() / 'liteq' / safe}.db".replace("\\", "/")


def prepare(path: str) -> None:
    """Make the file if it is not there (0600, in a 0700 folder) and refuse one that is not safe.

    Never opens a file that exists: closing it again would drop the locks of every connection
    this process has to it (sqlite.org/howtocorrupt.html, section 2.2).
    """
    if os.path.lexists(path):
        _check(path)
        return
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        with suppress(FileExistsError):  # another process was faster, and made it as we would
            os.close(os.open(path, flags, 0o600))
    except OSError as exc:
        raise BrokerUnavailable(
            f"cannot create {path}: {exc.strerror}; choose another file with broker= or "
            f"LITEQ_BROKER_URL, or make {folder} writable"
        ) from exc


def _check(path: str) -> None:
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(f"{path} is not a file: choose another one with broker=")
    if not os.access(path, os.R_OK | os.W_OK):
        raise BrokerUnavailable(
            f"{path} is not writable for this user (mode {stat.filemode(found.st_mode)})"
        )
    if sys.platform == "win32":
        return
    if found.st_uid not in (os.geteuid(), 0) or found.st_mode & 0o022:
        raise BrokerInsecure(
            f"{path} could be written by others (owner {found.st_uid}, "
            f"mode {stat.filemode(found.st_mode)}), and it may hold pickles: "
            f"chown it to this user and chmod 600 it"
        )


def _state_folder() -> Path:
    if base := os.environ.get("XDG_STATE_HOME"):
        return Path(base)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path.home() / ".local" / "state"
