"""Faults of the store, 2: the disk is full, fails, or may not be written.

docs/internals/storage-faults.md has the table of all storage faults and their tests.
"""

import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.project import INT, Program, Project, wait_for
from tests.faults.storage import SENDER, Disk, needs_mounts, needs_strace, strace

# Fills the disk but for so many bytes.
FILL = """
import os, sys
file = os.open("ballast", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
try:
    while True:
        os.write(file, bytes(4096))
except OSError as exc:
    print(exc.strerror)
os.truncate(file, os.fstat(file).st_size - int(sys.argv[1]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.write("sender.py", SENDER)
    project.write("fill.py", FILL)
    return project


@pytest.fixture
def disk(project: Project) -> Iterator[Disk]:
    disk = Disk(project, "4m")
    yield disk
    disk.close()


# Says how many tasks there are, in a store that is whole.
SOUND = """
import sqlite3
db = sqlite3.connect("project.db")
print(db.execute("pragma integrity_check").fetchall())
print(*db.execute("select count(*) from liteq_task").fetchone())
"""


@needs_mounts
def test_on_a_full_disk_nothing_is_acknowledged_and_afterwards_it_goes_on(disk: Disk) -> None:
    sender = disk.python("sender.py")
    try:
        sender.wait_for_line("^sent")
        disk.run(sys.executable, "fill.py", "0")
        line = sender.wait_for_line("BrokerUnavailable")
        assert "project.db: database or disk is full (SQLITE_FULL); the disk is full" in line
        before = len(sender.lines)
        disk.remount("size=16m")
        wait_for(lambda: any("sent" in line for line in sender.lines[before + 1 :]), "room")
    finally:
        sender.kill()

    acknowledged = re.findall("^sent", sender.output, re.MULTILINE)
    assert disk.run(sys.executable, "-c", SOUND) in {
        f"[('ok',)]\n{len(acknowledged) + more}\n" for more in (0, 1)
    }


@needs_mounts
def test_a_worker_keeps_its_results_until_there_is_room(disk: Disk) -> None:
    disk.run(sys.executable, "-c", "import project; project.mark.delay('marks', 1.0)")
    worker = disk.python("-m", "liteq", "worker", "-A", "project", "-l", "info", "-c", "1")
    try:
        worker.wait_for_line("mark")
        disk.run(sys.executable, "fill.py", "0")
        worker.wait_for_line("the store fails, trying again: .*disk is full")
        disk.remount("size=16m")
        worker.wait_for_line("the store works again")
        look = "import project; print(project.app.broker.counts())"
        wait_for(lambda: "SUCCEEDED" in disk.run(sys.executable, "-c", look), "the result")
        worker.send(INT)
        assert worker.wait() == 0
    finally:
        worker.kill()

    marks = disk.run("cat", "marks")
    assert marks.count("begin") == 1, "it ran once"


@needs_mounts
def test_a_disk_that_is_full_from_the_start_says_so(disk: Disk) -> None:
    disk.run(sys.executable, "fill.py", "0")
    sender = disk.python("-c", "import project; project.add.delay(1, 2)")
    assert sender.wait() == 1
    sender.kill()

    assert re.search("BrokerUnavailable: .*(No space left|disk is full)", sender.output)


@needs_mounts
def test_a_disk_that_is_mounted_read_only_is_refused_and_later_used(disk: Disk) -> None:
    """(It cannot be while a file on it is open for writing.)"""
    send = "import project; project.add.delay(1, 2)"
    disk.run(sys.executable, "-c", send)
    disk.remount("ro")
    for argv in (["-c", send], ["-m", "liteq", "worker", "-A", "project"]):
        program = disk.python(*argv)
        assert program.wait() in {1, 69}
        program.kill()
        assert "project.db is not writable for this user (uid " in program.output
        assert "mounted read-only" in program.output
    disk.remount("rw")
    disk.run(sys.executable, "-c", send)

    assert disk.run(sys.executable, "-c", SOUND) == "[('ok',)]\n2\n"


@needs_mounts
def test_a_backup_that_finds_no_room_leaves_nothing_behind(disk: Disk) -> None:
    source = "import project\nfor n in range(200): project.shout.delay('x' * 500)"
    disk.run(sys.executable, "-c", source)
    disk.run(sys.executable, "fill.py", "150_000")
    backup = disk.python("-m", "liteq", "backup", "copy.db", "-A", "project")
    assert backup.wait() == 69
    backup.kill()

    assert "disk is full" in backup.output
    assert "copy" not in disk.run("ls")


@needs_strace
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
def test_a_disk_that_fails_acknowledges_nothing_and_goes_on_when_it_works(
    project: Project, call: str
) -> None:
    project.python("import project; project.add.delay(1, 1)")
    with strace(project, f"{call}:error=EIO:when=8..20", "sender.py") as sender:
        line = sender.wait_for_line("BrokerUnavailable")
        assert "disk I/O error (SQLITE_IOERR" in line
        before = len(sender.lines)
        wait_for(lambda: "sent" in "".join(sender.lines[before:]), "the next one")

    acknowledged = {line.split()[1] for line in sender.lines if line.startswith("sent")}
    with closing(sqlite3.connect(project.folder / "project.db")) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert acknowledged <= {id for (id,) in db.execute("select id from liteq_task")}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits")
def test_a_limit_on_the_size_of_files_is_a_clear_error(project: Project) -> None:
    project.python("import project; project.add.delay(1, 1)")
    said = project.python(
        "import resource, project\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    for n in range(5000): project.shout.delay('x' * 2000)\n"
        "except Exception as exc: print(type(exc).__name__, exc)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
        "print(project.add.delay(1, 1).state)\n"
    )

    assert re.search("BrokerUnavailable .*project.db: .*a limit on the size of files", said), said
    assert said.endswith("PENDING\n")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits")
def test_a_limit_on_open_files_is_a_clear_error(project: Project) -> None:
    said = project.python(
        "import os, resource, threading, project\n"
        "project.add.delay(1, 1)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "held = []\n"
        "try:\n"
        "    while True: held.append(os.open('/dev/null', os.O_RDONLY))\n"
        "except OSError: pass\n"
        "errors = []\n"
        "def other():\n"  # has to open the store for itself
        "    try: project.add.delay(2, 2)\n"
        "    except Exception as exc: errors.append(exc)\n"
        "for free in range(6):\n"
        "    thread = threading.Thread(target=other); thread.start(); thread.join()\n"
        "    os.close(held.pop())\n"
        "for fd in held: os.close(fd)\n"
        "for exc in errors: print(type(exc).__name__, exc)\n"
        "print(project.add.delay(1, 1).state)\n"
    )
    *errors, last = said.splitlines()

    assert errors
    for line in errors:
        assert re.match("BrokerUnavailable .*project.db.*(Too many open files|open files)", line)
    assert last == "PENDING"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")
@pytest.mark.skipif(
    sys.platform != "win32" and not os.getuid() and not shutil.which("setpriv"),
    reason="root may write everything",
)
@pytest.mark.parametrize("what", ["project.db", "."])
def test_a_file_or_folder_that_is_read_only_is_refused_at_the_start(
    project: Project, what: str
) -> None:
    project.python("import project; project.add.delay(1, 1)")
    path = project.folder / what
    mode = path.stat().st_mode
    path.chmod(mode & ~0o222)
    argv = [sys.executable, "-c", "import project; project.add.delay(1, 2)"]
    if not os.getuid():  # root may write everything, unless it gives up what lets it
        argv = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *argv]
    program = Program(argv, project.folder, project.env)
    assert program.wait() == 1
    program.kill()
    path.chmod(mode)

    said = program.output
    assert re.search(r"BrokerUnavailable: /.* is not writable for this user \(uid \d+", said), said
