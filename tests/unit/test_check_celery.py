"""`liteq check-celery`: what becomes of each use of Celery in a file."""

from textwrap import dedent

import pytest

from liteq.as_celery.migration import File, Finding, State, check
from liteq.cli.celery_lines import judge

MISSING, UNREAD, DIFFERS, WORKS = State


def found(files: dict[str, str]) -> list[Finding]:
    """Return what is found in files with these texts."""
    return check([File(path, dedent(text).encode()) for path, text in files.items()], judge)


def states(source: str, **others: str) -> dict[str, State]:
    """Return the state of each use in a module, the worst; `others` are modules beside it."""
    files = {f"proj/{name}.py": text for name, text in others.items()}
    findings = reversed(found({**files, "proj/tasks.py": source}))
    return {each.use: each.state for each in findings if each.file == "proj/tasks.py"}


def why(source: str, use: str, path: str = "proj/tasks.py") -> str:
    """Return the reason that is given for one use."""
    return next(each.why for each in found({path: source}) if each.use == use)


def test_imports_are_judged_by_what_as_celery_serves() -> None:
    assert states("""
        import celery.result, celery.concurrency, celery.worker.control
        from celery import Celery, bootsteps
        from celery.signals import task_prerun, task_postruns, heartbeat_sent
        from kombu import Queue, Connection
        import billiard
        import json, celerytools
    """) == {
        "import celery.result": WORKS,
        "import celery.concurrency": MISSING,
        "import celery.worker.control": WORKS,
        "from celery import Celery": WORKS,
        "from celery import bootsteps": MISSING,
        "from celery.signals import task_prerun": WORKS,
        "from celery.signals import task_postruns": MISSING,
        "from celery.signals import heartbeat_sent": DIFFERS,
        "from kombu import Queue": DIFFERS,
        "from kombu import Connection": MISSING,
        "import billiard": DIFFERS,
    }


def test_a_missing_name_is_told_with_the_reason_or_the_nearest() -> None:
    source = "from celery import bootsteps\nfrom celery.signals import task_postruns"

    assert "the worker cannot be assembled" in why(source, "from celery import bootsteps")
    cure = "there is no such name; did you mean 'task_postrun'?"
    assert why(source, "from celery.signals import task_postruns") == cure
    assert "never sent: workers write" in why(
        "from celery.signals import heartbeat_sent", "from celery.signals import heartbeat_sent"
    )


def test_an_import_that_may_fail_is_not_missing() -> None:
    assert states("""
        from typing import TYPE_CHECKING
        try:
            from celery.backends.redis import RedisBackend
        except ImportError:
            RedisBackend = None
        try:
            from celery.worker import state
        except ValueError:
            pass
        if TYPE_CHECKING:
            from celery.app.amqp import AMQP
    """) == {
        "from celery.backends.redis import RedisBackend": DIFFERS,
        "from celery.worker import state": MISSING,
        "from celery.app.amqp import AMQP": DIFFERS,
    }


def test_extensions_of_celery_are_missing_as_imports_and_as_installed_apps() -> None:
    assert states("""
        from django_celery_beat.models import PeriodicTask
        INSTALLED_APPS = ["django.contrib.admin", "django_celery_results"]
    """) == {
        "from django_celery_beat.models import PeriodicTask": MISSING,
        "'django_celery_results'": MISSING,
    }


def test_names_are_looked_up_in_modules_that_were_imported() -> None:
    assert states("""
        import celery
        from celery import signals as s, utils
        celery.signals.task_prerun.connect(print)
        s.task_nonsense.connect(print)
        utils.log.get_task_logger(__name__)
        signals.task_nonsense
    """) == {
        "import celery": WORKS,
        "from celery import signals": WORKS,
        "from celery import utils": WORKS,
        "celery.signals.task_prerun": WORKS,
        "celery.signals.task_nonsense": MISSING,
        "celery.utils.log.get_task_logger": WORKS,
    }


def test_a_class_of_celery_s_that_a_text_names_is_looked_up() -> None:
    source = """
        LOGGING = {"()": "celery.app.log.TaskFormatter", "level": "celery.worker"}
        BASE = "celery.app.task:Task"
    """

    assert states(source) == {"'celery.app.log.TaskFormatter'": MISSING}


def test_keywords_of_an_application() -> None:
    assert states("""
        from celery import Celery as App
        App("x", include=["a"], loader="x", brokr="y", task_time_limit=5, task_serialiser="json")
        App("x", None, "redis://")
    """) == {
        "from celery import Celery": WORKS,
        "Celery(...)": MISSING,
        "Celery(include=...)": WORKS,
        "Celery(loader=...)": DIFFERS,
        "Celery(brokr=...)": MISSING,
        "Celery(task_time_limit=...)": WORKS,
        "Celery(task_serialiser=...)": MISSING,
    }


@pytest.mark.parametrize(
    ("broker", "backend", "state"),
    [
        ("sqlite:///a.db", "rpc://", WORKS),
        ("redis://h/0", "redis://h/0", WORKS),
        ("redis://h/0", "django-db", DIFFERS),
        ("redis://h/0", "redis://h/1", DIFFERS),
    ],
)
def test_a_broker_and_another_store_of_results(broker: str, backend: str, state: State) -> None:
    source = f"from celery import Celery\nCelery('x', broker={broker!r}, backend={backend!r})"

    assert states(source)["Celery(backend=...)"] == state


def test_a_broker_that_only_celery_has_is_told_how_to_be_replaced() -> None:
    for source in (
        "Celery('x', broker='amqp://guest@localhost//')",
        "Celery('x', broker=os.environ.get('URL', 'amqp://'))",
        "Celery('x', broker=os.environ.get('URL') or 'pyamqp://')",
        "Celery('x', broker=f'amqp://{user}:{password}@host')",
    ):
        assert states(f"from celery import Celery\n{source}")["Celery(broker=...)"] == DIFFERS
    unknown = "from celery import Celery\nCelery('x', broker='redsi://host')"
    assert states(unknown)["Celery(broker=...)"] == MISSING
    computed = "from celery import Celery\nCelery('x', broker=os.environ['URL'])"
    assert states(computed)["Celery(broker=...)"] == WORKS


def test_options_of_tasks() -> None:
    assert states("""
        from celery import Celery, shared_task
        app = Celery("x")
        @app.task(bind=True, rate_limit="1/s", mine=1, name="t")
        def one(self): ...
        @shared_task(max_retires=3, run=2)
        def two(): ...
        @shared_task
        async def three(): ...
    """) == {
        "from celery import Celery": WORKS,
        "from celery import shared_task": WORKS,
        "Celery(...)": WORKS,
        "@app.task": WORKS,
        "@app.task(bind=...)": WORKS,
        "@app.task(rate_limit=...)": DIFFERS,
        "@app.task(mine=...)": WORKS,
        "@app.task(name=...)": WORKS,
        "@shared_task": WORKS,
        "@shared_task(max_retires=...)": DIFFERS,
        "@shared_task(run=...)": MISSING,
    }


def test_attributes_of_classes_of_tasks() -> None:
    assert states("""
        import celery
        class Base(celery.Task):
            acks_late = True
            rate_limit = "1/s"
            max_retires = 3
            mine = 1
            def on_failure(self, *args): ...
            def on_succes(self, *args): ...
            def own(self): ...
    """) == {
        "import celery": WORKS,
        "celery.Task": WORKS,
        "Base.acks_late": WORKS,
        "Base.rate_limit": DIFFERS,
        "Base.max_retires": DIFFERS,
        "Base.on_failure": WORKS,
        "Base.on_succes": DIFFERS,
    }


def test_options_of_calls() -> None:
    others = {"jobs": "from celery import shared_task\n@shared_task\ndef add(x): ..."}

    assert states(
        """
        from .jobs import add
        add.apply_async((1,), countdown=3, exchange="x", priorty=1)
        add.s(1).set(queue="a", queeu="b")
        add.delay(1, countdwn="an argument of the task")
        """,
        **others,
    ) == {
        "apply_async(...)": WORKS,
        "apply_async(countdown=...)": WORKS,
        "apply_async(exchange=...)": DIFFERS,
        "apply_async(priorty=...)": MISSING,
        "task.s": WORKS,
        "set(...)": WORKS,
        "set(queue=...)": WORKS,
        "set(queeu=...)": MISSING,
        "task.delay": WORKS,
    }


def test_a_call_that_gives_options_by_position_is_missing() -> None:
    source = "from jobs import add\nadd.apply_async((1,), {}, 'id', producer)"

    assert "give the others by name" in why(source, "apply_async(...)")


def test_apply_async_of_a_pool_of_processes_is_not_celery_s() -> None:
    assert states("pool.apply_async(f, (1,), {}, done)\nx.apply_async(f, callback=done)") == {}


def test_retry_and_other_methods_of_a_task_that_runs() -> None:
    assert states("""
        from celery import Task, shared_task
        @shared_task(bind=True)
        def one(self):
            self.send_event("x")
            self.mine()
            raise self.retry(countdwn=3, exc=None)
        class Two(Task):
            def run(self):
                raise self.retry(coutdown=3)
        def other(self):
            self.retry(whatever=1)
    """) == {
        "from celery import Task": WORKS,
        "from celery import shared_task": WORKS,
        "@shared_task": WORKS,
        "@shared_task(bind=...)": WORKS,
        "Two.run": WORKS,
        "task.send_event": MISSING,
        "retry(...)": WORKS,
        "retry(countdwn=...)": MISSING,
        "retry(coutdown=...)": MISSING,
    }


def test_settings_of_an_application() -> None:
    assert states("""
        from proj.main import app
        app.conf.task_time_limit = 5
        app.conf.worker_prefetch_multiplier = 1
        app.conf["worker_pool"] = "gevent"
        app.conf.CELERYD_CONCURRENCY = 4
        app.conf.update(result_expires="never", task_serialiser="json", own=1)
        app.conf.update({"accept_content": ["json"]})
        print(app.conf.timezone, app.conf.broker_pool_limit, app.conf.own)
    """) == {
        "task_time_limit": WORKS,
        "worker_prefetch_multiplier": DIFFERS,
        "worker_pool": MISSING,
        "CELERYD_CONCURRENCY": WORKS,
        "app.conf.update": WORKS,
        "result_expires": MISSING,
        "task_serialiser": MISSING,
        "accept_content": WORKS,
        "app.conf.timezone": WORKS,
        "app.conf.broker_pool_limit": DIFFERS,
    }


def test_settings_of_django() -> None:
    source = """
        import os
        CELERY_BROKER_URL = os.environ.get("URL", "amqp://")
        CELERY_RESULT_BACKEND = "django-db"
        CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
        CELERY_TASK_ALWAYS_EAGR = True
        CELERY_TASK_TIME_LIMIT = 30 * 60
        if DEBUG:
            CELERY_TASK_ALWAYS_EAGER = True
        CELERY_MINE = 1
        TIME_ZONE = "UTC"
    """
    assert states(source) == {
        "CELERY_BROKER_URL": DIFFERS,
        "CELERY_RESULT_BACKEND": DIFFERS,
        "CELERY_BEAT_SCHEDULER": DIFFERS,
        "CELERY_TASK_ALWAYS_EAGR": MISSING,
        "CELERY_TASK_TIME_LIMIT": WORKS,
        "CELERY_TASK_ALWAYS_EAGER": WORKS,
    }


def test_the_namespace_of_settings_is_the_one_that_the_project_names() -> None:
    main = """
from celery import Celery
app = Celery("x")
app.config_from_object("django.conf:settings", namespace="QUEUE")
"""
    source = "QUEUE_TASK_TIME_LIMIT = 5\nCELERY_TASK_TIME_LIMIT = 5"

    assert states(source, main=main) == {"QUEUE_TASK_TIME_LIMIT": WORKS}


@pytest.mark.parametrize("name", ["proj.tasks", "tasks", "proj.tasks:Config"])
def test_the_module_or_class_that_config_from_object_names_has_settings(name: str) -> None:
    main = f"from celery import Celery\nCelery('x').config_from_object({name!r})"
    source = """
        task_time_limit = 5
        def function():
            task_soft_time_limit = 5
        class Config:
            worker_prefetch_multiplier = 1
    """
    expected = (
        {"worker_prefetch_multiplier": DIFFERS}
        if name.endswith("Config")
        else {"task_time_limit": WORKS}
    )
    assert states(source, main=main) == expected


def test_the_class_in_the_same_file_that_config_from_object_is_given_has_settings() -> None:
    source = """
        from celery import Celery
        class Config:
            task_time_limit = "long"
        class Other:
            task_soft_time_limit = 5
        app = Celery("x")
        app.config_from_object(Config)
    """
    assert states(source)["task_time_limit"] == MISSING
    assert "task_soft_time_limit" not in states(source)


def test_the_settings_of_flask_are_a_dict_named_celery() -> None:
    assert states("app.config.from_mapping(CELERY=dict(task_serialiser='json'))") == {
        "task_serialiser": MISSING
    }


def test_members_of_the_application_its_control_and_inspect() -> None:
    assert states("""
        from celery import current_app as app
        app.control.revoke("x")
        app.control.rate_limit("t", "1/s")
        found = app.control.inspect()
        found.active(), found.memdump()
        app.amqp, app.send_task("t", quue="q"), app.mine
    """) == {
        "from celery import current_app": WORKS,
        "control.revoke": WORKS,
        "control.rate_limit": MISSING,
        "control.inspect": WORKS,
        "inspect().active": WORKS,
        "inspect().memdump": MISSING,
        "app.amqp": MISSING,
        "send_task(...)": WORKS,
        "send_task(quue=...)": MISSING,
    }


def test_an_app_of_another_framework_is_not_taken_for_one_of_celery_s() -> None:
    assert states("app = Flask('x')\napp.conf.task_serialiser = 1\napp.control.rate_limit()") == {}


def test_applications_and_tasks_are_known_in_modules_that_import_them() -> None:
    others = {
        "main": "from celery import Celery\nqueue = Celery('x')",
        "passed": "from .main import queue as q",
    }

    assert states("from proj.passed import q\nq.amqp", **others) == {"app.amqp": MISSING}
    assert states("from . import main\nmain.queue.amqp", **others) == {"app.amqp": MISSING}


def test_commands_in_code() -> None:
    assert states("""
        from celery import current_app as app
        app.worker_main(["worker", "-P", "eventlet", "-c", str(n)])
        subprocess.run(["celery", "-A", "proj", "multi", "start"])
        queues = ["celery", "mail"]
    """) == {
        "from celery import current_app": WORKS,
        "app.worker_main": WORKS,
        "celery worker": WORKS,
        "celery worker -P": MISSING,
        "celery worker -c": WORKS,
        "celery -A": WORKS,
        "celery multi": MISSING,
    }


def commands(path: str, text: str) -> dict[str, State]:
    return {each.use: each.state for each in found({path: text})}


def test_command_lines_are_judged_by_the_options_of_liteq() -> None:
    assert commands(
        "Procfile",
        """
        web: gunicorn proj  # not celery worker
        worker: celery -A proj worker -linfo --concurrency=4 --without-gossip
        beat: exec python -m celery --app=proj beat --detach || celery beatt
        flower: celery -A proj flower --port=5555
        oops: celery -A proj worker --loglvel=info -c some
        # gone: celery -A proj events
        """,
    ) == {
        "celery -A": WORKS,
        "celery worker": WORKS,
        "celery worker -l": WORKS,
        "celery worker --concurrency": WORKS,
        "celery worker --without-gossip": DIFFERS,
        "celery --app": WORKS,
        "celery beat": WORKS,
        "celery beat --detach": WORKS,
        "celery flower": MISSING,
        "celery worker --loglvel": MISSING,
        "celery worker -c": MISSING,
    }


def test_a_service_of_systemd_with_lines_that_go_on() -> None:
    unit = """
        [Service]
        Environment="CELERY_BROKER_URL=redis://localhost"
        ExecStart=/bin/sh -c '${CELERY_BIN} -A $APP multi start $NODES \\
            --pidfile=${PIDS}'
        ExecReload=/venv/bin/celery -A $APP \\
            worker -c $SLOTS
    """
    assert commands("deploy/celery.service", unit) == {
        "CELERY_BROKER_URL": DIFFERS,
        "celery -A": WORKS,
        "celery multi": MISSING,
        "celery worker": WORKS,
        "celery worker -c": WORKS,
    }


@pytest.mark.parametrize(
    "command",
    [
        "command: celery -A proj worker -P gevent",
        'command: ["celery", "-A", "proj", "worker", "-P", "gevent"]',
        'command: ["celery"]\n    args: ["-A", "proj", "worker", "-P", "gevent"]',
        'command: [\n      "celery", "-A", "proj",\n      "worker", "-P", "gevent"\n    ]',
        "command:\n      - celery\n      - -Aproj\n      - worker\n      - -P\n      - gevent",
        "command:\n    - celery\n    - -A\n    - proj\n    - worker\n    - -P\n    - gevent",
        "command: >\n      celery -A proj\n      worker -P gevent",
        "command: celery -A proj\n      worker -P gevent",
        "command: |\n      pip install celery flower\n      celery -A proj worker -P gevent",
        'command: sh -c "./manage.py migrate && celery -A proj worker -P gevent"',
    ],
)
def test_a_command_in_a_compose_file_is_found_however_it_is_written(command: str) -> None:
    text = f"services:\n  celery:\n    {command}\n    depends_on:\n      - celery\n      - redis\n"

    assert commands("docker-compose.yml", text) == {
        "celery -A": WORKS,
        "celery worker": WORKS,
        "celery worker -P": MISSING,
    }


def test_variables_of_the_environment() -> None:
    text = """
        services:
          worker:
            environment:
              - CELERY_BROKER_URL=amqp://host
              - CELERY_WORKER_PREFETCH_MULTIPLIER=1
              - CELERY_MINE=1
          beat:
            environment:
              CELERY_RESULT_BACKEND: redis://host
    """
    assert commands("compose.yaml", text) == {
        "CELERY_BROKER_URL": DIFFERS,
        "CELERY_WORKER_PREFETCH_MULTIPLIER": DIFFERS,
        "CELERY_RESULT_BACKEND": DIFFERS,
    }


def test_what_must_be_changed_comes_first_each_with_its_line() -> None:
    findings = found(
        {
            "b.py": "import celery\n\nimport celery.bootsteps\n",
            "a.py": "import billiard\n",
            "Procfile": "x: celery multi\n",
        }
    )
    assert [(each.file, each.line, each.state) for each in findings] == [
        ("Procfile", 1, MISSING),
        ("b.py", 3, MISSING),
        ("a.py", 1, DIFFERS),
        ("b.py", 1, WORKS),
    ]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"import celery\ndef f(:\n", "this is no code for Python 3."),
        (b"import celery\n\x00", "this is no code for Python 3."),
        (b"import celery; x = '\xff'\n", "this is no code for Python 3."),
        (b"import celery\nx = " + b"(" * 400, "this is no code for Python 3."),
        (b"import celery\nx = x" + b".a" * 5000, ""),
        (b"import celery\nx = 1" + b" + 1" * 50_000, ""),
    ],
)
def test_a_module_that_cannot_be_read_is_told(source: bytes, reason: str) -> None:
    finding = check([File("x.py", source)], judge)[0]

    assert finding.state is UNREAD
    assert finding.why.startswith(reason)


def test_a_module_in_another_encoding_is_read() -> None:
    source = "# -*- coding: latin-1 -*-\nimport celery  # é\n".encode("latin-1")

    assert [each.state for each in check([File("x.py", source)], judge)] == [WORKS]
