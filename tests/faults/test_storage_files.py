"""Faults of the store, 3: the file is gone, is another one, is damaged, or is not safe.

docs/internals/storage-faults.md has the table of all storage faults and their tests.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from liteq.brokers import connect
from liteq.brokers.base import Broker
from liteq.brokers.sqlite import location, mounts
from liteq.exceptions import (
    BrokerCorrupt,
    BrokerGone,
    BrokerInsecure,
    BrokerUnavailable,
    ConfigurationError,
)
from liteq.model.message import Message, new_id
from tests.e2e.project import KILL, Project, wait_for
from tests.faults.storage import needs_mounts

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no modes and owners")
as_root = pytest.mark.skipif(
    sys.platform == "win32" or os.getuid() != 0, reason="only root can give files away"
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "project.db"


@pytest.fixture
def broker(path: Path) -> Iterator[Broker]:
    broker = at(path)
    yield broker
    broker.close()


def at(path: Path) -> Broker:
    return connect(f"sqlite:///{path}?durability=fast")


def send(broker: Broker, id: str | None = None, payload: bytes = b"[[1, 2], {}]") -> None:
    broker.enqueue([Message(id or new_id(), "project.add", payload, "json", "celery")])


def ids(path: Path) -> set[str]:
    """The ids in the store, which is whole; asked by another process."""
    source = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]);"
        "assert db.execute('pragma integrity_check').fetchall() == [('ok',)];"
        "print(*(row[0] for row in db.execute('select id from liteq_task')))"
    )
    argv = [sys.executable, "-c", source, str(path)]
    return set(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())


# gone, or another one


def remove(path: Path) -> None:
    for each in path.parent.glob("project.db*"):
        each.unlink()


def rename(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def replace(path: Path) -> None:
    other = at(path.with_name("new.db"))
    send(other, "new")
    other.close()
    path.with_name("new.db").rename(path)


@posix
@pytest.mark.parametrize("change", [remove, rename, replace])
def test_nothing_is_written_to_a_file_that_is_no_longer_there(
    broker: Broker, path: Path, change: Callable[[Path], None]
) -> None:
    send(broker, "old")
    change(path)

    for _ in range(2):
        with pytest.raises(BrokerGone, match=r"project\.db was deleted or replaced"):
            send(broker)
        with pytest.raises(BrokerGone):
            broker.fetch(["old"])


@posix
@pytest.mark.parametrize("change", [remove, rename, replace])
def test_a_worker_stops_when_its_file_is_no_longer_there(
    project: Project, path: Path, change: Callable[[Path], None]
) -> None:
    with project.worker() as worker:
        change(path)
        assert worker.wait() == 74
        assert "was deleted or replaced while it was in use" in worker.output

    assert path.exists() is (change is replace), "it makes no new one"


@posix
def test_whoever_leaves_a_replaced_file_takes_nothing_from_the_new_one(
    broker: Broker, path: Path
) -> None:
    """SQLite removes the log beside the file when the last connection is closed, by its name."""
    send(broker, "old")
    path.unlink()
    for tail in ("-wal", "-shm"):
        path.with_name(path.name + tail).unlink()
    fresh = at(path)
    send(fresh, "new")
    broker.close()
    send(fresh, "later")

    assert ids(path) == {"new", "later"}
    fresh.close()


# damaged


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"this is not a database, only some text\n" * 100, "not a liteq store, or damaged"),
        (bytes(8192), "not a liteq store, or damaged"),
        (b"SQLite format 3\0" + bytes(50), "not a liteq store, or damaged"),
    ],
    ids=["text", "zeros", "half a header"],
)
def test_what_is_no_store_is_refused_and_left_as_it_is(
    project: Project, path: Path, content: bytes, words: str
) -> None:
    path.write_bytes(content)
    path.chmod(0o600)

    for command in (["worker"], ["status"], ["doctor"]):
        said = project.liteq(*command, "-A", "project", code=65)
        assert words in said
        assert "Traceback" not in said
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_and_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("create table liteq_task (id integer)")
        db.commit()
    path.chmod(0o600)
    before = path.read_bytes()

    with pytest.raises(BrokerCorrupt, match="another program's database"):
        send(at(path))
    assert path.read_bytes() == before


def spoil(path: Path, *, page: int) -> None:
    with path.open("r+b") as file:
        file.seek(page * 2048)
        file.write(b"\x5a" * 2048 * 12)


def test_a_worker_stops_at_a_damaged_page_and_says_what_to_do(project: Project, path: Path) -> None:
    broker = at(path)
    for _ in range(400):
        send(broker)
    broker.close()
    spoil(path, page=30)

    said = project.liteq("worker", "-A", "project", "-l", "info", code=65)
    assert "damaged (database disk image is malformed)" in said
    assert "liteq doctor" in said
    assert "restore a backup" in said


def test_half_a_file_is_refused(path: Path) -> None:
    broker = at(path)
    for _ in range(400):
        send(broker)
    broker.close()
    os.truncate(path, path.stat().st_size // 2)

    messages = [Message(new_id(), "add", bytes(2000), "json", "celery") for _ in range(400)]
    with pytest.raises(BrokerCorrupt):
        broker.enqueue(messages)
    broker.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("lost", ["-shm", "-gate"])
def test_what_was_sent_before_a_kill_is_there_also_without_the_files_that_can_be_made_anew(
    project: Project, path: Path, lost: str
) -> None:
    source = "import project, time; print(project.add.delay(1, 2).id, flush=True); time.sleep(1e6)"
    with project.program("-c", source) as program:
        sent = program.wait_for_line("-").strip()
        program.send(KILL)
        program.wait()
    path.with_name(path.name + lost).unlink()
    broker = at(path)
    send(broker, "later")
    broker.close()

    assert ids(path) == {sent, "later"}


def test_a_log_that_is_garbage_is_not_taken_for_one(path: Path) -> None:
    broker = at(path)
    send(broker, "kept")
    broker.close()
    log = path.with_name("project.db-wal")
    log.write_bytes(b"\x37\x7f\x06\x82" + b"garbage" * 1000)
    log.chmod(0o600)
    send(broker, "later")
    broker.close()

    assert ids(path) == {"kept", "later"}


# where it is, and by which name


@pytest.mark.parametrize(
    "name", ["with space", "ünïcödé 数据", "100%", "a?b", "a#b", "it's", "%20"]
)
def test_a_path_may_hold_any_characters(tmp_path: Path, name: str) -> None:
    if sys.platform == "win32" and "?" in name:
        pytest.skip("no file can have that name")
    folder = tmp_path / name
    folder.mkdir()
    project = Project(folder)
    source = (
        "from urllib.parse import quote\nfrom liteq import LiteQ\nfrom pathlib import Path\n"
        "app = LiteQ('project', broker='sqlite:///' + quote(str(Path(__file__).parent / 'q.db')))\n"
        "@app.task\ndef add(x, y): return x + y\n"
    )
    project.write("project.py", source)
    with project.worker():
        said = project.python("import project; print(project.add.delay(2, 3).get(timeout=20))")

    assert said == "5\n"
    assert (folder / "q.db").exists()


@posix
def test_two_names_of_a_folder_and_a_link_to_the_file_lead_to_one_store(
    tmp_path: Path, path: Path, broker: Broker
) -> None:
    (tmp_path / "same").symlink_to(tmp_path)
    (tmp_path / "link.db").symlink_to(path)
    send(broker)
    for other in (tmp_path / "same" / path.name, tmp_path / "link.db"):
        there = at(other)
        send(there)
        there.close()

    assert sum(count.tasks for count in broker.counts()) == 3
    assert len(list(tmp_path.glob("*-gate"))) == 1


@posix
def test_a_link_that_leads_nowhere_is_followed_to_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    broker = at(tmp_path / "link.db")
    send(broker)
    broker.close()

    assert (tmp_path / "real.db").exists()
    assert (tmp_path / "link.db").is_symlink()


@posix
def test_a_link_that_was_put_in_the_files_place_is_not_followed(
    tmp_path: Path, path: Path, broker: Broker
) -> None:
    """Between the reading of the URL and the first use somebody was busy."""
    victim = tmp_path / "victim.db"
    shutil.copy(__file__, victim)
    path.symlink_to(victim)

    with pytest.raises(BrokerInsecure, match="replaced by a symbolic link"):
        send(broker)


@posix
def test_a_second_name_of_the_file_is_warned_of(path: Path, broker: Broker) -> None:
    send(broker)
    broker.close()
    path.with_name("other.db").hardlink_to(path)

    with pytest.warns(RuntimeWarning, match=r"2 names \(hard links\)"):
        send(broker)


def test_a_network_file_system_is_refused(
    path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = mounts.file_system_of(str(path))
    if kind is None:
        pytest.skip("this platform does not tell what kind of file system it is")
    monkeypatch.setattr(mounts, "NETWORK", {kind})

    with pytest.raises(ConfigurationError, match=rf"on a network file system \({kind}\)"):
        send(broker)


def test_the_kinds_of_file_systems_are_read_by_device() -> None:
    table = (
        "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
        "91 35 0:51 / /home/ann/my\\040files rw shared:7 - nfs4 server:/export rw,vers=4.2\n"
        "92 35 0:52 / /mnt/c rw - 9p C:\\134 rw\n"
    )

    kinds = mounts.parse_mountinfo(table)
    assert kinds[os.makedev(98, 0)] == "ext3"
    assert kinds[os.makedev(0, 51)] == "nfs4"
    assert {"nfs4", "9p", "cifs", "virtiofs", "vboxsf", "fuse.rclone"} <= mounts.NETWORK
    assert not {"ext4", "btrfs", "xfs", "overlay", "tmpfs", "fuseblk", "zfs"} & mounts.NETWORK
    assert mounts.network_file_system(r"\\server\share\q.db") == "a Windows share"


MOUNTS_LATER = """
import subprocess, sys
from liteq.brokers.sqlite.mounts import file_system_of

folder = sys.argv[1]
before = file_system_of(folder + "/q.db")
subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
print(before, file_system_of(folder + "/q.db"))
"""


@needs_mounts
def test_a_file_system_that_is_mounted_later_is_known(tmp_path: Path) -> None:
    argv = ["unshare", "-Urm", sys.executable, "-c", MOUNTS_LATER, str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)

    assert done.stdout.split()[1] == "tmpfs"


# who may write it


@posix
def test_whatever_the_umask_nobody_else_can_read_or_write_it(project: Project) -> None:
    project.python(
        "import os; os.umask(0)\n"
        "from liteq import LiteQ\n"
        "app = LiteQ(broker='sqlite:///deep/er/q.db')\n"
        "@app.task\ndef add(x, y): pass\n"
        "add.delay(1, 2)\n"
        "from pathlib import Path\n"
        "assert all(not each.stat().st_mode & 0o077 for each in Path('deep').rglob('*'))\n"
        "assert not Path('deep').stat().st_mode & 0o077\n"
    )


@posix
@pytest.mark.parametrize("tail", ["", "-wal", "-gate"])
def test_a_file_that_others_could_write_is_refused(path: Path, broker: Broker, tail: str) -> None:
    send(broker)
    each = path.with_name(path.name + tail)
    each.chmod(0o666)

    with pytest.raises(BrokerInsecure, match=rf"{each.name} could be written by others"):
        send(at(path))
    each.chmod(0o600)
    send(broker)


@as_root
@pytest.mark.parametrize("tail", ["", "-wal", "-journal"])
def test_a_file_of_another_user_is_refused(path: Path, broker: Broker, tail: str) -> None:
    """A log that somebody planted would be read back into the file."""
    send(broker)
    broker.close()
    each = path.with_name(path.name + tail)
    each.touch()
    os.chown(each, 12345, 12345)

    with pytest.raises(BrokerInsecure, match="owner 12345"):
        send(broker)


@posix
def test_a_folder_that_everybody_may_write_is_refused_unless_it_is_sticky(
    tmp_path: Path, broker: Broker
) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(BrokerInsecure, match="can be written by everybody"):
        send(broker)
    tmp_path.chmod(0o1777)
    send(broker)
    tmp_path.chmod(0o700)


@as_root
def test_a_folder_that_a_shared_group_may_write_is_refused(tmp_path: Path, broker: Broker) -> None:
    tmp_path.chmod(0o770)
    send(broker)  # the private group of this user
    os.chown(tmp_path, -1, 12345)

    with pytest.raises(BrokerInsecure, match="can be written by its group 12345"):
        send(at(tmp_path / "other.db"))


@as_root
def test_a_folder_that_only_the_private_group_of_the_user_may_write_is_used() -> None:
    """Where the umask is 002, each folder is like that."""
    import pwd

    user = pwd.getpwnam("daemon")  # its group has its name, and no other members
    with TemporaryDirectory() as folder:  # not below one that only root may enter
        os.chown(folder, user.pw_uid, user.pw_gid)
        Path(folder).chmod(0o770)
        os.seteuid(user.pw_uid)
        try:
            location.prepare(f"{folder}/store.db")
        finally:
            os.seteuid(0)


def test_a_folder_in_the_place_of_the_file_is_refused(path: Path, broker: Broker) -> None:
    path.mkdir()

    with pytest.raises(ConfigurationError, match="is not a file"):
        send(broker)


@posix
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(BrokerUnavailable, match=r"cannot create .*Not a directory; choose another"):
        send(at(tmp_path / "file" / "q.db"))


def test_a_file_that_is_there_is_never_opened_but_by_sqlite(project: Project) -> None:
    """To close it again would drop the locks of every connection that this process has."""
    said = project.python(
        "import sys, threading, project\n"
        "project.add.delay(1, 2)\n"
        "opened = []\n"
        "def hook(event, args):\n"
        "    if event == 'open': opened.append(str(args[0]))\n"
        "sys.addaudithook(hook)\n"
        "thread = threading.Thread(target=project.add.delay, args=(1, 2))\n"  # opens it, too
        "thread.start(); thread.join()\n"
        "project.app.broker.upkeep(idle=True)\n"
        "print([each for each in opened if each.endswith(('project.db', '-wal', '-shm'))])\n"
    )

    assert said == "[]\n"


# many at once


def test_32_programs_may_open_a_new_store_at_once(path: Path, project: Project) -> None:
    source = (
        "import sys; from liteq.brokers import connect\n"
        "from liteq.model.message import Message, new_id\n"
        "broker = connect('sqlite:///project.db'); sys.stdin.read()\n"
        "broker.enqueue([Message(new_id(), 'add', b'', 'json', 'celery')])\n"
    )
    starts, go = os.pipe()
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", source], cwd=project.folder, env=project.env, stdin=starts
        )
        for _ in range(32)
    ]
    os.close(starts)
    os.close(go)  # now

    assert [program.wait(60) for program in programs] == [0] * 32
    assert len(ids(path)) == 32


def test_the_file_grows_no_further_when_tasks_come_and_go(path: Path, broker: Broker) -> None:
    def cycle() -> int:
        broker.enqueue(
            [Message(new_id(), "add", bytes(500), "json", "celery") for _ in range(3000)]
        )
        broker.purge(None)
        broker.upkeep(idle=True)
        return path.stat().st_size

    first = max(cycle() for _ in range(3))
    later = max(cycle() for _ in range(10))

    assert later < first * 1.2


def test_a_worker_on_a_store_that_was_deleted_before_it_started_makes_a_new_one(
    project: Project, path: Path
) -> None:
    project.python("import project; project.add.delay(1, 2)")
    remove(path)
    with project.worker():
        wait_for(path.exists, "the file")
