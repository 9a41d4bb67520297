"""Tables of Celery's modules: what each of them is in liteq, or why there is none.

`docs/coming-from-celery.md` has them in words.
"""

ROOTS = ("celery", "kombu", "billiard")

SERVED: dict[str, tuple[str, ...]] = {
    "celery": ("liteq", "liteq.as_celery.celery", "liteq.app.bugreport"),
    "celery._state": ("liteq.result.app", "liteq.app.current"),
    "celery.app": ("liteq.app",),
    "celery.app.base": ("liteq.app.base",),
    "celery.app.control": ("liteq.app.control",),
    "celery.app.registry": ("liteq.app.registry",),
    "celery.app.task": ("liteq.app.task",),
    "celery.beat": ("liteq.beat",),
    "celery.canvas": ("liteq.canvas",),
    "celery.contrib": (),
    "celery.contrib.abortable": ("liteq.contrib.abortable",),
    "celery.contrib.django": (),
    "celery.contrib.django.task": ("liteq.contrib.django.task",),
    "celery.contrib.pytest": ("liteq.contrib.pytest",),
    "celery.contrib.testing": (),
    "celery.contrib.testing.app": ("liteq.contrib.testing.app",),
    "celery.contrib.testing.tasks": ("liteq.contrib.testing.tasks",),
    "celery.contrib.testing.worker": ("liteq.contrib.testing.worker",),
    "celery.exceptions": ("liteq.exceptions", "liteq.as_celery.exceptions"),
    "celery.local": ("liteq.local",),
    "celery.platforms": ("liteq.platforms",),
    "celery.result": ("liteq.result",),
    "celery.schedules": ("liteq.schedules",),
    "celery.signals": ("liteq.signals",),
    "celery.states": ("liteq.states",),
    "celery.utils": ("liteq.utils",),
    "celery.utils.functional": ("liteq.utils.functional",),
    "celery.utils.log": ("liteq.utils.log",),
    "celery.utils.time": ("liteq.utils.time",),
    "celery.worker": (),
    "celery.worker.control": ("liteq.worker.control",),
    "kombu": ("liteq.as_celery.kombu",),
    "kombu.entity": ("liteq.as_celery.kombu",),
    "kombu.exceptions": ("liteq.exceptions",),
    "kombu.serialization": ("liteq.as_celery.serialization",),
    "kombu.utils": ("liteq.utils",),
    "kombu.utils.url": ("liteq.as_celery.urls",),
    "kombu.utils.uuid": ("liteq.utils",),
    "billiard": ("multiprocessing",),
    "billiard.context": ("multiprocessing.context",),
    "billiard.exceptions": ("liteq.exceptions",),
    "billiard.pool": ("multiprocessing.pool",),
    "billiard.process": ("multiprocessing.process",),
    "billiard.queues": ("multiprocessing.queues",),
}
"""The modules of liteq, or of Python, that have the names of each module."""

_EVENTS = "there are no event messages; `liteq status`, `inspect` and `graph` read the store"
_WORKER = (
    "the worker cannot be assembled from other parts; app.Worker(...) starts one, and signals such "
    "as worker_ready and worker_process_init are sent"
)
_NO_BROKER = "there are no connections and messages of a broker: liteq keeps tasks in its own store"

MISSING: dict[str, str] = {
    "celery.Celery.amqp": _NO_BROKER,
    "celery.Celery.broker_connection": _NO_BROKER,
    "celery.Celery.connection": _NO_BROKER,
    "celery.Celery.connection_for_read": _NO_BROKER,
    "celery.Celery.connection_for_write": _NO_BROKER,
    "celery.Celery.connection_or_acquire": _NO_BROKER,
    "celery.Celery.events": _EVENTS,
    "celery.Celery.loader": "app.config_from_object, include and autodiscover_tasks say it all",
    "celery.Celery.log": "worker_log_format and the signals setup_logging, after_setup_logger",
    "celery.Celery.pool": _NO_BROKER,
    "celery.Celery.producer_or_acquire": _NO_BROKER,
    "celery.Celery.producer_pool": _NO_BROKER,
    "celery.Celery.select_queues": "the option -Q of `liteq worker` selects queues",
    "celery.Celery.setup_security": "the setting secret_key signs what is stored on a server",
    "celery.Celery.steps": _WORKER,
    "celery.Celery.user_options": "the command line has no options of programs",
    "celery.Task.send_event": _EVENTS,
    "celery.app.amqp": _NO_BROKER,
    "celery.app.annotations": "the setting task_annotations takes a dict, or a list of them",
    "celery.app.autoretry": "the options autoretry_for and retry_backoff of a task do it",
    "celery.app.backends": "results are kept in the broker's own store",
    "celery.app.builtins": "tasks such as celery.accumulate are part of liteq.canvas",
    # of these classes, what they lack
    "celery.app.control.Control": "there are no event messages and connections to a broker",
    "celery.app.control.Control.rate_limit": (
        "there are no rate limits; a queue with a worker of its own, -c 1, slows tasks"
    ),
    "celery.app.control.Inspect": "use tracemalloc, py-spy or memray to look into a process",
    "celery.app.defaults": "the table of settings is SETTINGS of liteq.config",
    "celery.app.events": _EVENTS,
    "celery.app.log": (
        "worker_log_format and worker_task_log_format set the lines, and know task_name and "
        "task_id; the signals setup_logging and after_setup_logger are sent"
    ),
    "celery.app.routes": "the setting task_routes takes what Celery's does",
    "celery.app.trace": "liteq runs tasks in code of its own; the signals of tasks are sent",
    "celery.app.utils": "app.conf is a liteq.config.Config",
    "celery.apps": "use the command line, app.Worker(...) or liteq.beat",
    "celery.backends": "results are kept in the broker's own store, so there are no other backends",
    "celery.beat.PersistentScheduler": "schedules are kept in the store: app.schedules",
    "celery.beat.ScheduleEntry": "schedules are kept in the store: app.schedules",
    "celery.beat.Scheduler": "schedules are kept in the store, and every worker fires them",
    "celery.bin": "the command line is `python -m liteq`; app.worker_main(argv) runs it",
    "celery.bootsteps": _WORKER,
    "celery.concurrency": "the pools are processes, threads and solo: the setting worker_pool",
    "celery.contrib.migrate": "`liteq move SOURCE TARGET` moves everything to another store",
    "celery.contrib.rdb": "with the pool solo, breakpoint() works in a task",
    "celery.contrib.sphinx": "the docstrings of tasks are those of their functions",
    "celery.contrib.testing.mocks": "unittest.mock does it; `drain` of liteq.testing runs tasks",
    "celery.events": _EVENTS,
    "celery.fixups": "liteq sets Django up by itself, when DJANGO_SETTINGS_MODULE is set",
    "celery.loaders": "app.config_from_object, include and autodiscover_tasks say what is loaded",
    **{
        f"celery.platforms.{name}": "`liteq worker` takes --pidfile, which refuses a second worker"
        for name in ("Pidfile", "PIDFile", "create_pidlock")
    },
    **{
        f"celery.platforms.{name}": (
            "a service manager, such as systemd, starts programs in the background, as another "
            "user and with another umask"
        )
        for name in (
            "DaemonContext",
            "check_privileges",
            "close_open_fds",
            "detached",
            "fd_by_path",
            "initgroups",
            "maybe_drop_privileges",
            "parse_gid",
            "parse_uid",
            "setgid",
            "setgroups",
            "setuid",
        )
    },
    "celery.platforms.set_mp_process_title": "set_process_title names the process",
    "celery.security": "the setting secret_key signs what is stored on a server",
    "celery.task": "Celery 5 has no such module either: use app.task, shared_task or celery.Task",
    "celery.utils.collections": "the modules collections and collections.abc have such classes",
    "celery.utils.debug": "the modules tracemalloc and faulthandler of Python do it",
    "celery.utils.deprecated": "warnings.deprecated of Python, or the package typing_extensions",
    "celery.utils.imports": "pkgutil.resolve_name imports what has a dotted name",
    "celery.utils.nodenames": "a worker's name is app.Worker(...).name, and -n of the command",
    "celery.utils.objects": "functools and types of Python have such helpers",
    "celery.utils.saferepr": "the module reprlib of Python does it",
    "celery.utils.serialization": "errors of tasks come back as themselves, without a helper",
    "celery.utils.text": "the module textwrap of Python does it",
    "celery.utils.threads": "the module threading of Python does it",
    "celery.utils.dispatch": "signals are made with Signal of liteq.signals",
    **{
        f"celery.worker.{name}": _WORKER
        for name in (
            *("WorkController", "autoscale", "components", "consumer", "heartbeat", "loops"),
            *("pidbox", "request", "state", "strategy", "worker"),
        )
    },
    "django_celery_beat": (
        "schedules are kept in the store, and not in the database: app.schedules and `liteq "
        "schedule` show and change them"
    ),
    "django_celery_results": (
        "results are kept in the broker's own store: AsyncResult and `liteq jobs` read them"
    ),
    "djcelery": "Celery 4 had no such package any more: liteq sets Django up by itself",
    "kombu.Connection": _NO_BROKER,
    "kombu.Consumer": _NO_BROKER,
    "kombu.Producer": _NO_BROKER,
    "kombu.common": "a task goes to one worker, not to all of them",
    "kombu.connection": _NO_BROKER,
    "kombu.messaging": _NO_BROKER,
    "kombu.mixins": _NO_BROKER,
    "kombu.pools": _NO_BROKER,
    "kombu.transport": _NO_BROKER,
    "kombu.utils.json": "register_serializer of liteq.serializers takes a codec of your own",
}
"""Name what has no counterpart, with the reason and what to use; also for all below it."""


DIFFERENT: dict[str, str] = {
    "celery.signals.beat_embedded_init": (
        "never sent: every worker has the scheduler: use `worker_init`"
    ),
    "celery.signals.heartbeat_sent": (
        "never sent: workers write their beat to the store, and send no messages"
    ),
    "celery.signals.task_internal_error": (
        "never sent: an error of liteq in a task's process is a failure of that task"
    ),
    "celery.signals.user_preload_options": (
        "never sent: the command line has no user-defined options"
    ),
}
"""Name what is served and does something else, or nothing, by its name in Celery."""


def why_missing(name: str) -> str:
    """Return the error text for `name`, a module of Celery's or a name in one."""
    return f"liteq serves no {name}: {reason_for(name)}"


def reason_for(name: str) -> str:
    """Return the reason why `name` is missing: its own, or that of what it is in."""
    at = name
    while at and at not in MISSING:
        at = at.rpartition(".")[0]
    return MISSING.get(at, "docs/coming-from-celery.md has the table of what went where")
