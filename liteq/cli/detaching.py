"""Going on in the background, as another user, with another umask, by another Python."""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ..exceptions import ConfigurationError
from .output import complain

_READY = b"\0"


def add_detaching_options(parser: ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("-D", "--detach", action="store_true", help="go on in the background once it is ready")
    add("--uid", metavar="USER", help="be this user, by name or number")
    add("--gid", metavar="GROUP", help="be in this group, likewise")
    add("--umask", type=_octal, metavar="MODE", help="of the files that it makes, in octal")
    add("--executable", metavar="PYTHON", help="the Python to run it with")
    parser.set_defaults(report=None)


def detach(args: Namespace) -> int | None:
    """Do what the options say.

    Return None in the process that is to work, and the exit code in the one that was left. To be
    called before anything is opened. Raises ConfigurationError for what cannot be done.
    """
    if args.executable:
        _run_by(args.executable)
    if args.detach:
        if not args.logfile:
            complain("--detach without --logfile: what it logs goes nowhere")
        code = _fork(args)
        if code is not None:
            return code
    if args.umask is not None:
        os.umask(args.umask)
    if args.uid or args.gid:
        _become(args.uid, args.gid)
    return None


@contextmanager
def starting(args: Namespace) -> Iterator[Callable[[], None]]:
    """Tell the process that was left when this one is ready: call what is yielded. Or why it fails.

    From here on the standard streams lead nowhere: child processes would keep them open.
    """
    report: int | None = args.report
    if report is None:
        yield lambda: None
        return
    args.report = None
    null = os.open(os.devnull, os.O_RDWR)
    sys.stdout.flush()
    for stream in range(3):
        os.dup2(null, stream)
    os.close(null)
    try:
        yield lambda: _tell(report, _READY)
    except BaseException as exc:
        _tell(report, f"liteq: {exc}\n".encode(errors="replace"))
        raise
    finally:
        os.close(report)


def _tell(report: int, data: bytes) -> None:
    with suppress(OSError):  # it waits no more
        os.write(report, data)


def _fork(args: Namespace) -> int | None:
    """Fork; return None in the child, and here the exit code once that is ready or has ended."""
    if sys.platform == "win32":
        raise ConfigurationError("--detach: Windows has no such processes: run it as a service")
    reader, args.report = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.setsid()
        return None
    os.close(args.report)
    told = b""
    while data := os.read(reader, 4096):
        told += data
        if told.endswith(_READY):
            return 0
    sys.stderr.write(told.decode(errors="replace"))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _run_by(python: str) -> None:
    """Run this very command by another Python."""
    words, rest = [], iter(sys.argv[1:])
    for word in rest:
        if word == "--executable":
            next(rest, None)
        elif not word.startswith("--executable="):
            words.append(word)
    try:
        os.execv(python, [python, "-m", "liteq", *words])  # noqa: S606 - by the one who asked
    except OSError as exc:
        raise ConfigurationError(f"--executable {python}: {exc.strerror}") from exc


def _become(user: str | None, group: str | None) -> None:
    """Give up the rights of root, and be that user, in that group."""
    if sys.platform == "win32":
        raise ConfigurationError("--uid, --gid: Windows has none: start it as that user")
    import grp
    import pwd

    try:
        found = None
        if user is not None:
            found = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
        if group is None:
            gid = found.pw_gid if found else os.getgid()
        else:
            gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
        if found is not None:
            os.initgroups(found.pw_name, gid)
        os.setgid(gid)  # first: a plain user may not
        if found is not None:
            os.setuid(found.pw_uid)
    except KeyError as exc:
        raise ConfigurationError(f"--uid, --gid: {exc.args[0]}") from exc
    except OSError as exc:
        raise ConfigurationError(f"--uid, --gid: {exc.strerror}: only root may do that") from exc


def _octal(text: str) -> int:
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        raise ArgumentTypeError(f"{text!r} is not an octal number such as 022")
    return mode
