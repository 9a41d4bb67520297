"""What only the SQLite broker can get wrong."""

import gc
import os
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from liteq import LiteQ
from liteq.brokers import connect, owners
from liteq.brokers.base import Claim
from liteq.brokers.owners import Owner, is_dead, this_process
from liteq.brokers.sqlite import SqliteBroker
from liteq.brokers.sqlite.location import default_url, locate
from liteq.brokers.sqlite.statements import SQL, claim_sql, listing_sql
from liteq.exceptions import BrokerCorrupt, BrokerUnavailable, ConfigurationError
from liteq.model.message import Message, new_id
from liteq.model.outcome import Policy
from liteq.model.search import EVERYTHING
from liteq.serializers import get
from liteq.states import Phase
from liteq.testing import drain
from liteq.worker.rescue import rescue
from tests.servers import wait_until

ROOT = Path(__file__).parents[2]


def message(id: str | None = None, queue: str = "celery") -> Message:
    return Message(id or new_id(), "add", b"[[1, 2], {}]", "json", queue)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def broker(path: Path) -> SqliteBroker:
    broker = connect(f"sqlite:///{path}?durability=fast")
    assert isinstance(broker, SqliteBroker)
    return broker


def test_a_task_can_be_sent_by_sql(broker: SqliteBroker, path: Path) -> None:
    worker = broker.register("w", "{}")
    with sqlite3.connect(path) as database:
        database.execute("insert into liteq_task (task, payload) values ('add', '[[2, 3], {}]')")
    database.close()
    (delivery,) = broker.claim(Claim(worker, ("celery",), 10))

    assert delivery.message.task == "add"
    assert delivery.message.payload == b"[[2, 3], {}]"
    assert delivery.message.serializer == "json"


def test_a_change_without_a_notification_is_found_by_polling(
    broker: SqliteBroker, path: Path
) -> None:
    listener = broker.work_listener(broker.register("w", "{}"))
    listener.missed()
    assert not listener.missed()

    with sqlite3.connect(path) as database:
        database.execute("insert into liteq_task (task, payload) values ('add', '[[2, 3], {}]')")
    database.close()

    assert listener.missed()
    assert not listener.missed()
    listener.close()


@pytest.mark.parametrize("queues", [1, 2, 5])
@pytest.mark.parametrize("if_open", [True, False])
def test_a_claim_reads_the_index_and_sorts_only_the_heads(
    broker: SqliteBroker, path: Path, queues: int, if_open: bool
) -> None:
    broker.enqueue([message()])
    values = {"worker": 1, "now": 0.0, "limit": 5, **{f"q{n}": "celery" for n in range(queues)}}
    database = sqlite3.connect(path)
    sql = claim_sql(queues, if_open=if_open)
    plan = [row[3] for row in database.execute(f"explain query plan {sql}", values)]
    assert not [step for step in plan if step.startswith("SCAN liteq_task")], plan
    assert sum("INDEX liteq_task_ready (queue=?)" in step for step in plan) == queues, plan
    database.close()


@pytest.mark.parametrize("field", ["created", "started", "token", "traceback", "result", "waits"])
def test_a_record_with_garbage_in_a_field_says_so(
    broker: SqliteBroker, path: Path, field: str
) -> None:
    broker.enqueue([message("good"), message("bad")])
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        garbage = "'text'" if field == "result" else "x'ff'"
        database.execute(f"update liteq_task set {field} = {garbage} where id = 'bad'")

    good, bad = broker.fetch(["good", "bad"])
    assert good is not None
    assert good.phase is Phase.READY
    assert bad is not None
    assert (bad.message.id, bad.phase) == ("bad", Phase.DEAD)
    assert f"what is stored of this task cannot be read: its {field}" in str(bad.traceback)


@pytest.mark.parametrize("newest", [False, True])
def test_dead_letters_are_listed_by_their_index(
    broker: SqliteBroker, path: Path, newest: bool
) -> None:
    broker.counts()
    values = {**EVERYTHING._asdict(), "limit": 5}
    with closing(sqlite3.connect(path)) as database:
        query = f"explain query plan {listing_sql([Phase.DEAD], newest=newest)}"
        plan = [row[3] for row in database.execute(query, values)]

    assert any("INDEX liteq_task_dead" in step for step in plan), plan


def test_a_sqlite_that_lacks_what_is_needed_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))
    with pytest.raises(ConfigurationError, match=r"too old: liteq needs 3\.35"):
        connect(f"sqlite:///{path}").counts()
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 35, 0))
    connect(f"sqlite:///{path}").counts()
    monkeypatch.setattr("liteq.brokers.sqlite.handle._has_json", lambda: False)
    with pytest.raises(ConfigurationError, match="without the JSON functions"):
        connect(f"sqlite:///{path}").counts()


def test_the_log_stays_small_where_no_worker_ever_runs(
    broker: SqliteBroker, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liteq.brokers.sqlite.store.LARGE_LOG", 2**20)
    for _ in range(20):
        for _ in range(64):
            broker.enqueue([message() for _ in range(20)])

    assert path.with_name("store.db-wal").stat().st_size < 4 * 2**20


def test_a_writer_waits_for_another_one(broker: SqliteBroker, path: Path) -> None:
    broker.enqueue([message()])
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    release = threading.Timer(0.5, lambda: other.execute("commit"))
    release.start()
    broker.enqueue([message()])
    release.join()
    other.close()

    assert sum(count.tasks for count in broker.counts()) == 2


def test_a_writer_of_this_process_that_never_ends_is_named(
    broker: SqliteBroker, path: Path
) -> None:
    broker.enqueue([message()])
    broker._client_writes = broker._client_writes._replace(timeout=0.3)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    linux = sys.platform == "linux"  # elsewhere it is not known who holds a lock
    who = f"itself \\(pid {os.getpid()}\\)" if linux else "held by another program"
    with pytest.raises(BrokerUnavailable, match=rf"store\.db .*locked.*: .*{who}"):
        broker.enqueue([message()])
    other.execute("rollback")
    other.close()
    broker.enqueue([message()])

    assert sum(count.tasks for count in broker.counts()) == 2


def test_a_store_that_was_deleted_is_noticed(broker: SqliteBroker, path: Path) -> None:
    broker.enqueue([message()])
    broker.upkeep()
    path.unlink()

    with pytest.raises(BrokerCorrupt, match="deleted or replaced"):
        broker.upkeep()


def test_many_processes_may_open_a_new_store_at_once(path: Path) -> None:
    source = (
        "from liteq.brokers import connect\n"
        "from liteq.model.message import Message, new_id\n"
        f"broker = connect('sqlite:///{path}')\n"
        "input()\n"
        "broker.enqueue([Message(new_id(), 'add', b'', 'json', 'celery')])\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    programs = [
        subprocess.Popen([sys.executable, "-c", source], stdin=subprocess.PIPE, env=env)
        for _ in range(8)
    ]
    for program in programs:
        assert program.stdin is not None
        program.stdin.write(b"\n")
        program.stdin.close()

    assert [program.wait(30) for program in programs] == [0] * 8
    broker = connect(f"sqlite:///{path}")
    assert sum(count.tasks for count in broker.counts()) == 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_after_a_fork_both_processes_can_send_and_nothing_is_lost(
    broker: SqliteBroker, path: Path
) -> None:
    listener = broker.result_listener()
    broker.enqueue([message("before")])
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            broker.enqueue([message("child")])
            gc.collect()
            broker.close()
            status = 0
        finally:
            os._exit(status)
    broker.enqueue([message("parent")])
    _, status = os.waitpid(pid, 0)
    broker.enqueue([message("after")])
    listener.close()
    broker.close()

    assert status == 0
    database = sqlite3.connect(path)
    assert {row[0] for row in database.execute("select id from liteq_task")} == {
        "before",
        "child",
        "parent",
        "after",
    }
    assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
    database.close()


def test_a_thread_that_ends_leaves_nothing_open(broker: SqliteBroker) -> None:
    broker.enqueue([message()])

    def work() -> None:
        broker.enqueue([message()])
        broker.result_listener()

    for _ in range(5):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    gc.collect()

    assert len(broker._sessions) == 1
    assert broker._session().read("select count(*) from liteq_listener") == [(0,)]


def test_writers_get_their_turn(broker: SqliteBroker, path: Path) -> None:
    """Six busy writers: with SQLite's own waiting, some of them write next to nothing."""
    broker.enqueue([message()])
    source = (
        "import time\n"
        "from liteq.brokers import connect\n"
        "from liteq.model.message import Message, new_id\n"
        f"broker = connect('sqlite:///{path}?durability=fast')\n"
        "broker.counts()\n"
        "input()\n"
        "n, end = 0, time.monotonic() + 1.5\n"
        "while time.monotonic() < end:\n"
        "    broker.enqueue([Message(new_id(), 'add', b'', 'json', 'celery')])\n"
        "    n += 1\n"
        "print(n)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        for _ in range(6)
    ]
    shares = [int(program.communicate("\n", timeout=60)[0]) for program in programs]

    assert min(shares) > max(shares) / 5, shares


def test_without_flock_everything_is_stored_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITEQ_PORTABLE", "1")
    broker = connect(f"sqlite:///{path}?durability=fast")

    def work() -> None:
        for _ in range(50):
            broker.enqueue([message()])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(count.tasks for count in broker.counts()) == 200
    broker.close()


# the identity of a process


def test_this_process_is_alive() -> None:
    assert is_dead(this_process()) is False


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_process_with_the_pid_of_a_dead_worker_is_not_that_worker() -> None:
    assert is_dead(this_process()._replace(start="1")) is True


def test_a_process_from_before_a_reboot_is_dead() -> None:
    assert is_dead(this_process()._replace(boot="another")) is True


def test_an_unknown_boot_is_no_proof_of_a_reboot(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_dead(this_process()._replace(boot="")) is not True

    worker = this_process()._replace(boot="known")
    monkeypatch.setattr(owners, "_boot", lambda: "")
    assert is_dead(worker) is not True


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_zombie_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    stat = Path(f"/proc/{process.pid}/stat")
    start = stat.read_text().rpartition(")")[2].split()[19]
    owner = this_process()._replace(pid=process.pid, start=start)
    assert is_dead(owner) is False
    process.kill()
    end = time.monotonic() + 10
    while stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end

    assert is_dead(owner) is True
    assert process.stdin is not None
    process.stdin.close()
    process.wait()


def test_of_a_process_of_another_host_or_namespace_nothing_is_known() -> None:
    assert is_dead(this_process()._replace(host="elsewhere", boot="x")) is None
    assert is_dead(this_process()._replace(space="4026531836-x")) is None


def test_an_owner_is_written_and_read() -> None:
    assert Owner.parse(str(this_process())) == this_process()


@pytest.mark.parametrize(
    "text", ["", "a|b", "a|b|c|d|e", "a|b|c|1|e|f", "\0" * 9, None, 7, b"\xff"]
)
def test_of_an_owner_that_cannot_be_read_nothing_is_known(text: object) -> None:
    assert Owner.parse(text) is None
    assert is_dead(Owner.parse(text)) is None


@pytest.mark.parametrize("pid", [0, -1, 10**30])
def test_of_a_pid_that_cannot_be_one_nothing_is_known(pid: int) -> None:
    assert is_dead(this_process()._replace(pid=pid)) is not False


@pytest.mark.parametrize("value", ["x'ff'", "''", "'a|b|c|d|e'", "7", "zeroblob(9)"])
def test_a_worker_whose_record_cannot_be_read_keeps_no_other_from_being_rescued(
    broker: SqliteBroker, path: Path, value: str
) -> None:
    broken, dead = (broker.register(name, "{}") for name in ("broken", "dead"))
    broker.enqueue([message("a")])
    broker.claim(Claim(dead, ("celery",), 1))
    owner = str(this_process()._replace(boot="an earlier one"))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("update liteq_worker set owner = ? where id = ?", (owner, dead))
        db.execute(f"update liteq_worker set owner = {value}, info = {value} where id = {broken}")

    assert broker.examine().facts["dead_workers"] == ["dead"]
    assert [each.message.id for each in rescue(broker, Policy(), get("json"))] == ["a"]
    assert [each.id for each in broker.workers()] == [broken]
    broker.close()


# the location of the file


def test_three_slashes_are_relative_and_four_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert locate("sqlite:///a.db").path == str(tmp_path / "a.db")
    assert locate("sqlite:////x/a.db").path == os.path.realpath("/x/a.db")


def test_percent_signs_are_decoded_and_the_url_encodes_them_again() -> None:
    location = locate("sqlite:////x/a%20b%23%3F%25.db?durability=fast")

    assert location.path.endswith("a b#?%.db")
    assert locate(location.url) == location


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://host/a.db",
        "sqlite:///",
        "sqlite:///a.db?durability=off",
        "sqlite:///a.db?colour=red",
        "sqlite:///a.db#b",
    ],
)
def test_a_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        locate(url)


def test_the_default_url_does_not_depend_on_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert default_url("my app") == f"sqlite:///{tmp_path.as_posix()}/liteq/my_app.db"


OF_WORKFLOWS = (
    *("ended_of", "dependents", "wake", "skip", "drop", "group_is_open", "blame", "close_group"),
    *(
        "free_members",
        "input",
        "inputs",
        "inner_groups",
        "failed_input",
        "dependent_ids",
        "members",
    ),
)


@pytest.mark.parametrize("name", OF_WORKFLOWS)
def test_dependents_are_found_without_reading_the_whole_table(
    broker: SqliteBroker, name: str
) -> None:
    broker.counts()
    with sqlite3.connect(broker.location.path) as database:
        named = {"id": "x"} if ":id" in SQL[name] else ("1",) * SQL[name].count("?")
        plan = [row[3] for row in database.execute(f"explain query plan {SQL[name]}", named)]

    assert not [step for step in plan if step.startswith(("SCAN liteq_task", "SCAN t "))], plan


DETAILS = ("step", "progress", "output", "limit_use", "event_wait")


@pytest.mark.parametrize("table", DETAILS)
def test_what_is_kept_of_a_task_in_other_tables_is_deleted_with_it(
    broker: SqliteBroker, table: str
) -> None:
    broker.enqueue([message("a"), message("b")])
    with closing(sqlite3.connect(broker.location.path, isolation_level=None)) as db:
        columns = db.execute(f"pragma table_info(liteq_{table})").fetchall()
        wanted = [row[1] for row in columns if row[3] or row[5]]  # not null, or in the key
        values = ", ".join("seq" if name == "task" else "1" for name in wanted)
        db.execute(
            f"insert into liteq_{table} ({', '.join(wanted)}) select {values} from liteq_task"
        )
        db.execute("update liteq_task set details = 1, phase = 4, keep_until = 1.0 where id = 'a'")

        broker.sweep(10)
        left = db.execute(
            f"select t.id from liteq_{table} d left join liteq_task t on t.seq = d.task"
        ).fetchall()

    assert left == [("b",)]


def test_a_thread_that_waits_while_another_one_closes_the_application_gets_its_result(
    path: Path,
) -> None:
    app = LiteQ("closing", broker_url=f"sqlite:///{path}?durability=fast")

    @app.task
    def add(a: int, b: int) -> int:
        return a + b

    result = add.delay(1, 2)
    with ThreadPoolExecutor(1) as pool, closing(connect(app.broker.url)) as other:
        waiting = pool.submit(result.get, timeout=20.0)
        assert isinstance(other, SqliteBroker)
        wait_until(other._session().waits.any, "the wait")
        app.close()
        drain(app)
        assert waiting.result() == 3
