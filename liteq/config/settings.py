"""The table of all settings of liteq: name, default, type and meaning.

To add one: its line in `Settings`, and its row in `docs/reference/settings.md`.
"""

from typing import Any, NamedTuple

from .types import (
    COUNT,
    FLAG,
    INTEGER,
    KEY,
    LEVEL,
    LIFETIME,
    LIMIT,
    MAPPING,
    NAMES,
    POOL,
    QUEUES,
    RULES,
    SECONDS,
    TEXT,
    TIMEZONE,
    URL,
    SettingType,
)

DAY = 24 * 60 * 60.0  # seconds


class Setting(NamedTuple):
    """One setting: its default, its type, and its meaning in a line."""

    default: Any
    type: SettingType
    meaning: str


def _setting(default: Any, type: SettingType, meaning: str) -> Any:
    # Any, because in `Settings` it stands for the value that an instance will have.
    return Setting(default, type, meaning)


class Settings:
    """The table of settings. Where the default is None, None is an allowed value."""

    # where tasks are kept
    broker_url: str | None = _setting(
        None, URL, "Where tasks are kept; None: the application's own file"
    )
    result_backend: str | None = _setting(
        None,
        URL,
        "Only for Celery's sake: results are kept with the tasks; another one brings a warning",
    )
    secret_key: str | bytes | None = _setting(
        None, KEY, "Signs what travels, so that pickle may cross Redis"
    )
    task_publish_retry: bool = _setting(
        True, FLAG, "Try again to send a task when the store does not answer"
    )
    task_publish_retry_policy: dict[str, Any] = _setting(
        {"max_retries": 3, "interval_start": 0, "interval_step": 0.2, "interval_max": 1},
        MAPPING,
        "How often, and how many seconds apart",
    )

    # how values travel
    task_serializer: str | None = _setting(
        None, TEXT, "Serializer of arguments; None: the broker's default, if it is accepted"
    )
    result_serializer: str | None = _setting(
        None, TEXT, "Serializer of results; None: the broker's default, if it is accepted"
    )
    accept_content: tuple[str, ...] | None = _setting(
        None, NAMES, "Serializers that a worker decodes; None: the broker's defaults"
    )
    result_accept_content: tuple[str, ...] | None = _setting(
        None, NAMES, "Serializers of results that are decoded; None: as `accept_content`"
    )
    max_payload_size: int = _setting(
        64 * 1024 * 1024, COUNT, "Bytes of encoded arguments, or of a result, at most"
    )

    # results
    result_expires: float | None = _setting(
        DAY, LIFETIME, "Seconds (or a timedelta) that results are kept; None or 0: for ever"
    )
    event_expires: float | None = _setting(
        30 * DAY, LIFETIME, "Seconds (or a timedelta) that events are kept; None or 0: for ever"
    )
    task_ignore_result: bool = _setting(False, FLAG, "Store no results")
    task_store_errors_even_if_ignored: bool = _setting(
        False, FLAG, "Store the errors of tasks whose results are ignored"
    )
    task_keep_output: bool = _setting(
        True, FLAG, "Keep what tasks print and log, for `result.log()` and `liteq logs`"
    )
    task_track_started: bool = _setting(False, FLAG, "Report STARTED while a task runs")

    # how tasks run
    task_acks_late: bool = _setting(
        True, FLAG, "Run a task again when its process died (at least once); False: at most once"
    )
    task_max_lost: int = _setting(
        3,
        COUNT,
        "A task whose process died this often is set aside as dead, if it ran alone there",
    )
    task_dead_expires: float | None = _setting(
        30 * DAY, LIFETIME, "Seconds (or a timedelta) that dead tasks are kept; None or 0: for ever"
    )
    task_time_limit: float | None = _setting(
        None, LIMIT, "Seconds after which the process of a running task is killed"
    )
    task_soft_time_limit: float | None = _setting(
        None, LIMIT, "Seconds after which SoftTimeLimitExceeded is raised in a running task"
    )
    task_retry_policy: dict[str, Any] = _setting(
        {}, MAPPING, "Retry options of tasks that do not set them: {'autoretry_for': (OSError,)}"
    )
    task_annotations: Any = _setting(
        None, RULES, "Task options by task name: {'tasks.add': {'time_limit': 5}}"
    )
    task_allow_error_cb_on_chord_header: bool = _setting(
        False, FLAG, "A chord's link_error is for each task of its header as well"
    )

    # in this process
    task_always_eager: bool = _setting(False, FLAG, "Run tasks at once where they are called")
    task_eager_propagates: bool = _setting(
        False, FLAG, "Let the errors of tasks that run where they are called come through"
    )
    task_store_eager_result: bool = _setting(
        False, FLAG, "Store the results of tasks that run where they are called"
    )

    # queues
    task_default_queue: str = _setting("celery", TEXT, "Queue of tasks that name none")
    task_queues: tuple[str, ...] | None = _setting(
        None, QUEUES, "Names of the queues that a worker serves beside the default one"
    )
    task_create_missing_queues: bool = _setting(
        True, FLAG, "Send to any queue; False: only to those in `task_queues`"
    )
    task_routes: Any = _setting(None, RULES, "Which queue a task goes to, by its name")
    task_default_priority: int | None = _setting(
        None, INTEGER, "Priority of tasks that name none; higher first, None is 0"
    )
    task_inherit_parent_priority: bool = _setting(
        False, FLAG, "Tasks that a task sends have its priority"
    )

    # what a worker imports
    imports: tuple[str, ...] = _setting((), NAMES, "Modules that a worker imports when it starts")
    include: tuple[str, ...] = _setting((), NAMES, "More of them, after `imports`")

    # time
    timezone: Any = _setting(
        None, TIMEZONE, "Time zone of schedules; None: UTC, or local time without `enable_utc`"
    )
    enable_utc: bool = _setting(True, FLAG, "Without a `timezone`, UTC is meant")
    beat_schedule: dict[str, Any] = _setting({}, MAPPING, "Periodic tasks by name")

    # the worker
    worker_concurrency: int | None = _setting(
        None, COUNT, "Tasks that run at a time; None: one for each CPU that may be used"
    )
    worker_pool: str = _setting("processes", POOL, "Where tasks run: processes, threads or solo")
    worker_max_tasks_per_child: int | None = _setting(
        None, COUNT, "Tasks after which a process is replaced"
    )
    worker_max_memory_per_child: int | None = _setting(
        None, COUNT, "KiB of memory beyond which a process is replaced"
    )
    shutdown_grace: float = _setting(
        30.0, SECONDS, "Seconds that running tasks have to finish when the worker stops"
    )
    worker_enable_remote_control: bool = _setting(
        True, FLAG, "Workers obey what `app.control` and `liteq control` tell them"
    )
    worker_log_format: str = _setting(
        "[%(asctime)s: %(levelname)s/%(processName)s] %(message)s", TEXT, "Format of log lines"
    )
    worker_task_log_format: str = _setting(
        "[%(asctime)s: %(levelname)s/%(processName)s] %(task_name)s[%(task_id)s]: %(message)s",
        TEXT,
        "Format of log lines that a task writes",
    )
    worker_redirect_stdouts: bool = _setting(True, FLAG, "What tasks print goes to the log")
    worker_redirect_stdouts_level: str | int = _setting(
        "WARNING", LEVEL, "Level of what tasks print"
    )


SETTINGS: dict[str, Setting] = {
    name: value for name, value in vars(Settings).items() if isinstance(value, Setting)
}
