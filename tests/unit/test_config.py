"""Settings: old and new names, checks of values, and sources."""

import re
import sys
import types
from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from liteq.brokers import connect
from liteq.config import MEANINGLESS, SETTINGS, Config
from liteq.config.celery import RENAMED, current_name
from liteq.exceptions import ImproperlyConfigured

# The renames that Celery documents, old name and new.
RENAMES = """
CELERY_ACCEPT_CONTENT accept_content
CELERY_ENABLE_UTC enable_utc
CELERY_IMPORTS imports
CELERY_INCLUDE include
CELERY_TIMEZONE timezone
CELERYBEAT_MAX_LOOP_INTERVAL beat_max_loop_interval
CELERYBEAT_SCHEDULE beat_schedule
CELERYBEAT_SCHEDULER beat_scheduler
CELERYBEAT_SCHEDULE_FILENAME beat_schedule_filename
CELERYBEAT_SYNC_EVERY beat_sync_every
BROKER_URL broker_url
BROKER_TRANSPORT broker_transport
BROKER_TRANSPORT_OPTIONS broker_transport_options
BROKER_CONNECTION_TIMEOUT broker_connection_timeout
BROKER_CONNECTION_RETRY broker_connection_retry
BROKER_CONNECTION_MAX_RETRIES broker_connection_max_retries
BROKER_FAILOVER_STRATEGY broker_failover_strategy
BROKER_HEARTBEAT broker_heartbeat
BROKER_LOGIN_METHOD broker_login_method
BROKER_NATIVE_DELAYED_DELIVERY_QUEUE_TYPE broker_native_delayed_delivery_queue_type
BROKER_POOL_ACQUIRE_TIMEOUT broker_pool_acquire_timeout
BROKER_POOL_LIMIT broker_pool_limit
BROKER_USE_SSL broker_use_ssl
CELERY_CACHE_BACKEND cache_backend
CELERY_CACHE_BACKEND_OPTIONS cache_backend_options
CASSANDRA_COLUMN_FAMILY cassandra_table
CASSANDRA_ENTRY_TTL cassandra_entry_ttl
CASSANDRA_KEYSPACE cassandra_keyspace
CASSANDRA_PORT cassandra_port
CASSANDRA_READ_CONSISTENCY cassandra_read_consistency
CASSANDRA_SERVERS cassandra_servers
CASSANDRA_WRITE_CONSISTENCY cassandra_write_consistency
CASSANDRA_OPTIONS cassandra_options
S3_ACCESS_KEY_ID s3_access_key_id
S3_SECRET_ACCESS_KEY s3_secret_access_key
S3_BUCKET s3_bucket
S3_BASE_PATH s3_base_path
S3_ENDPOINT_URL s3_endpoint_url
S3_REGION s3_region
CELERY_COUCHBASE_BACKEND_SETTINGS couchbase_backend_settings
CELERY_ARANGODB_BACKEND_SETTINGS arangodb_backend_settings
CELERY_MONGODB_BACKEND_SETTINGS mongodb_backend_settings
CELERY_EVENT_QUEUE_EXPIRES event_queue_expires
CELERY_EVENT_QUEUE_TTL event_queue_ttl
CELERY_EVENT_QUEUE_DURABLE event_queue_durable
CELERY_EVENT_QUEUE_EXCLUSIVE event_queue_exclusive
CELERY_EVENT_QUEUE_PREFIX event_queue_prefix
CELERY_EVENT_SERIALIZER event_serializer
CELERY_REDIS_DB redis_db
CELERY_REDIS_HOST redis_host
CELERY_REDIS_MAX_CONNECTIONS redis_max_connections
CELERY_REDIS_USERNAME redis_username
CELERY_REDIS_PASSWORD redis_password
CELERY_REDIS_PORT redis_port
CELERY_REDIS_BACKEND_USE_SSL redis_backend_use_ssl
CELERY_REDIS_BACKEND_CREDENTIAL_PROVIDER redis_backend_credential_provider
CELERY_RESULT_BACKEND result_backend
CELERY_MAX_CACHED_RESULTS result_cache_max
CELERY_MESSAGE_COMPRESSION result_compression
CELERY_RESULT_EXCHANGE result_exchange
CELERY_RESULT_EXCHANGE_TYPE result_exchange_type
CELERY_RESULT_EXPIRES result_expires
CELERY_RESULT_PERSISTENT result_persistent
CELERY_RESULT_SERIALIZER result_serializer
CELERY_RESULT_DBURI result_backend
CELERY_RESULT_ENGINE_OPTIONS database_engine_options
CELERY_RESULT_DB_TABLE_NAMES database_table_names
CELERY_SECURITY_CERTIFICATE security_certificate
CELERY_SECURITY_CERT_STORE security_cert_store
CELERY_SECURITY_KEY security_key
CELERY_SECURITY_KEY_PASSWORD security_key_password
CELERY_ACKS_LATE task_acks_late
CELERY_ACKS_ON_FAILURE_OR_TIMEOUT task_acks_on_failure_or_timeout
CELERY_TASK_ALWAYS_EAGER task_always_eager
CELERY_ALWAYS_EAGER task_always_eager
CELERY_ANNOTATIONS task_annotations
CELERY_COMPRESSION task_compression
CELERY_CREATE_MISSING_QUEUES task_create_missing_queues
CELERY_CREATE_MISSING_QUEUE_TYPE task_create_missing_queue_type
CELERY_CREATE_MISSING_QUEUE_EXCHANGE_TYPE task_create_missing_queue_exchange_type
CELERY_DEFAULT_DELIVERY_MODE task_default_delivery_mode
CELERY_DEFAULT_EXCHANGE task_default_exchange
CELERY_DEFAULT_EXCHANGE_TYPE task_default_exchange_type
CELERY_DEFAULT_QUEUE task_default_queue
CELERY_DEFAULT_QUEUE_TYPE task_default_queue_type
CELERY_DEFAULT_RATE_LIMIT task_default_rate_limit
CELERY_DEFAULT_ROUTING_KEY task_default_routing_key
CELERY_EAGER_PROPAGATES task_eager_propagates
CELERY_EAGER_PROPAGATES_EXCEPTIONS task_eager_propagates
CELERY_IGNORE_RESULT task_ignore_result
CELERY_PUBLISH_RETRY task_publish_retry
CELERY_PUBLISH_RETRY_POLICY task_publish_retry_policy
CELERY_QUEUES task_queues
CELERY_ROUTES task_routes
CELERY_SEND_SENT_EVENT task_send_sent_event
CELERY_SEND_TASK_SENT_EVENT task_send_sent_event
CELERY_STORE_ERRORS_EVEN_IF_IGNORED task_store_errors_even_if_ignored
CELERY_TASK_PUBLISH_RETRY task_publish_retry
CELERY_TASK_PUBLISH_RETRY_POLICY task_publish_retry_policy
CELERY_TASK_RESULT_EXPIRES result_expires
CELERY_TASK_SERIALIZER task_serializer
CELERYD_SOFT_TIME_LIMIT task_soft_time_limit
CELERYD_TASK_SOFT_TIME_LIMIT task_soft_time_limit
CELERY_TRACK_STARTED task_track_started
CELERY_TASK_TRACK_STARTED task_track_started
CELERY_TASK_REJECT_ON_WORKER_LOST task_reject_on_worker_lost
CELERYD_TIME_LIMIT task_time_limit
CELERYD_TASK_TIME_LIMIT task_time_limit
CELERY_ALLOW_ERROR_CB_ON_CHORD_HEADER task_allow_error_cb_on_chord_header
CELERYD_AGENT worker_agent
CELERYD_AUTOSCALER worker_autoscaler
CELERYD_CONCURRENCY worker_concurrency
CELERYD_CONSUMER worker_consumer
CELERY_WORKER_DIRECT worker_direct
CELERY_DISABLE_RATE_LIMITS worker_disable_rate_limits
CELERY_ENABLE_REMOTE_CONTROL worker_enable_remote_control
CELERYD_HIJACK_ROOT_LOGGER worker_hijack_root_logger
CELERYD_LOG_COLOR worker_log_color
CELERYD_LOG_FORMAT worker_log_format
CELERY_WORKER_LOG_FORMAT worker_log_format
CELERYD_WORKER_LOST_WAIT worker_lost_wait
CELERYD_MAX_TASKS_PER_CHILD worker_max_tasks_per_child
CELERYD_POOL worker_pool
CELERYD_POOL_PUTLOCKS worker_pool_putlocks
CELERYD_POOL_RESTARTS worker_pool_restarts
CELERYD_PREFETCH_MULTIPLIER worker_prefetch_multiplier
CELERYD_ETA_TASK_LIMIT worker_eta_task_limit
CELERYD_ENABLE_PREFETCH_COUNT_REDUCTION worker_enable_prefetch_count_reduction
CELERYD_REDIRECT_STDOUTS worker_redirect_stdouts
CELERYD_REDIRECT_STDOUTS_LEVEL worker_redirect_stdouts_level
CELERY_REDIRECT_STDOUTS worker_redirect_stdouts
CELERY_REDIRECT_STDOUTS_LEVEL worker_redirect_stdouts_level
CELERY_SEND_EVENTS worker_send_task_events
CELERYD_STATE_DB worker_state_db
CELERYD_TASK_LOG_FORMAT worker_task_log_format
CELERY_WORKER_TASK_LOG_FORMAT worker_task_log_format
CELERYD_TIMER worker_timer
CELERYD_TIMER_PRECISION worker_timer_precision
CELERYD_DETECT_QUORUM_QUEUES worker_detect_quorum_queues
"""


@pytest.fixture
def conf() -> Config:
    return Config()


def module(**names: Any) -> types.ModuleType:
    made = types.ModuleType("celeryconfig")
    vars(made).update(names)
    return made


class TestNames:
    def test_a_setting_is_an_attribute_and_an_item(self, conf: Config) -> None:
        conf.task_serializer = "json"
        conf["result_serializer"] = "pickle"

        assert conf["task_serializer"] == "json"
        assert conf.result_serializer == "pickle"

    def test_every_setting_has_its_default(self, conf: Config) -> None:
        assert dict(conf) == {name: setting.default for name, setting in SETTINGS.items()}

    def test_two_configurations_share_nothing(self, conf: Config) -> None:
        conf.beat_schedule["nightly"] = {"task": "proj.clean"}

        assert Config().beat_schedule == {}

    @pytest.mark.parametrize("row", RENAMES.strip().splitlines())
    def test_a_name_that_celery_renamed_means_the_new_one(self, row: str) -> None:
        old, new = row.split()

        assert current_name(old) == new
        assert new in SETTINGS or new in MEANINGLESS

    def test_every_irregular_rename_leads_to_a_known_name(self) -> None:
        assert {new for new in RENAMED.values() if new not in SETTINGS | MEANINGLESS} == set()

    def test_no_name_both_means_something_and_nothing(self) -> None:
        assert SETTINGS.keys() & MEANINGLESS.keys() == set()

    def test_an_old_name_reads_and_deletes_as_well(self, conf: Config) -> None:
        conf.CELERYD_CONCURRENCY = 4
        assert conf.worker_concurrency == conf["CELERYD_CONCURRENCY"] == 4
        assert "CELERYD_CONCURRENCY" in conf

        del conf["CELERYD_CONCURRENCY"]
        assert conf.CELERYD_CONCURRENCY is None

    @pytest.mark.parametrize(
        ("wrong", "right"),
        [
            ("task_serialiser", "task_serializer"),
            ("broker_uri", "broker_url"),
            ("time_zone", "timezone"),
            ("CELERYD_CONCURENCY", "worker_concurrency"),
            ("CELERY_TASK_SERIALISER", "task_serializer"),
            ("TASK_ROUTE", "task_routes"),
        ],
    )
    def test_a_misspelt_name_raises_and_names_the_nearest(
        self, conf: Config, wrong: str, right: str
    ) -> None:
        with pytest.raises(ImproperlyConfigured, match=f"'{wrong}'.*did you mean '{right}'"):
            conf[wrong] = "x"
        with pytest.raises(AttributeError, match=f"did you mean '{right}'"):
            getattr(conf, wrong)

    def test_an_unknown_name_is_kept_with_one_warning(self, conf: Config) -> None:
        with pytest.warns(UserWarning, match="not settings of liteq: my_own, TIME_ZONE") as caught:
            conf.update(my_own=1, TIME_ZONE="Europe/Paris")
        conf.my_own = 2  # a warning would be an error here

        assert len(caught) == 1
        assert caught[0].filename == __file__
        assert conf.my_own == 2

    @pytest.mark.parametrize("name", ["worker_log_level", "task_retries", "CELERY_BROADCAST"])
    def test_a_name_that_only_resembles_a_setting_is_kept(self, conf: Config, name: str) -> None:
        with pytest.warns(UserWarning, match=name):
            conf[name] = 1

        assert conf[name] == 1

    def test_a_setting_without_a_meaning_is_kept_with_one_warning_that_says_why(
        self, conf: Config
    ) -> None:
        with pytest.warns(UserWarning, match=r"'CELERYD_PREFETCH_MULTIPLIER'.*claims") as caught:
            conf.CELERYD_PREFETCH_MULTIPLIER = 1
        conf.worker_prefetch_multiplier = 2  # a warning would be an error here

        assert len(caught) == 1
        assert conf.worker_prefetch_multiplier == 2

    def test_a_setting_without_a_meaning_says_so_when_it_is_read_unset(self, conf: Config) -> None:
        with pytest.raises(AttributeError, match="does nothing in liteq"):
            _ = conf.broker_heartbeat

    def test_a_custom_name_cannot_hide_a_method(self, conf: Config) -> None:
        with pytest.raises(ImproperlyConfigured, match="method of that name"):
            conf["update"] = 1

    def test_an_unknown_name_is_not_there(self, conf: Config) -> None:
        assert conf.get("nothing", 7) == 7
        assert "nothing" not in conf
        assert not hasattr(conf, "nothing")
        with pytest.raises(AttributeError):
            del conf.nothing


class TestValues:
    @pytest.mark.parametrize(
        ("name", "given", "kept"),
        [
            ("result_expires", timedelta(hours=1), 3600.0),
            ("result_expires", 60, 60.0),
            ("result_expires", 0, None),
            ("result_expires", None, None),
            ("task_time_limit", timedelta(seconds=5), 5.0),
            ("shutdown_grace", 0, 0.0),
            ("worker_pool", "prefork", "processes"),
            ("imports", "proj.tasks", ("proj.tasks",)),
            ("imports", ["a", "b"], ("a", "b")),
            ("accept_content", {"json"}, ("json",)),
            ("task_queues", {"a": {"exchange": "x"}, "b": {}}, ("a", "b")),
            ("task_queues", [types.SimpleNamespace(name="a"), "b"], ("a", "b")),
            ("task_always_eager", 1, True),
            ("worker_redirect_stdouts_level", "info", "INFO"),
            ("timezone", "utc", "utc"),
            ("timezone", UTC, UTC),
            ("task_publish_retry_policy", types.MappingProxyType({"a": 1}), {"a": 1}),
            ("broker_url", None, None),
        ],
    )
    def test_a_value_is_kept_in_one_form(
        self, conf: Config, name: str, given: Any, kept: Any
    ) -> None:
        conf[name] = given

        assert conf[name] == kept

    @pytest.mark.parametrize(
        ("name", "value", "cure"),
        [
            ("task_time_limit", "soon", "number of seconds"),
            ("task_time_limit", 0, "more than 0"),
            ("task_time_limit", True, "more than 0"),
            ("result_expires", -1, "number of seconds"),
            ("result_expires", float("nan"), "number of seconds"),
            ("result_expires", timedelta.max, "number of seconds"),
            ("task_always_eager", "no", "True or False"),
            ("task_always_eager", None, "True or False"),
            ("worker_concurrency", 0, "at least 1"),
            ("worker_concurrency", "4", "at least 1"),
            ("worker_concurrency", True, "at least 1"),
            ("worker_max_tasks_per_child", 1.5, "at least 1"),
            ("task_default_queue", "", "text"),
            ("task_default_priority", "high", "integer"),
            ("imports", [1], "list of names"),
            ("task_queues", 5, "list of queue names"),
            ("task_routes", 5, "a dict, a list, a function"),
            ("beat_schedule", [], "a dict"),
            ("worker_pool", "", "'threads'"),
            ("worker_redirect_stdouts_level", "LOUD", "log level"),
            ("timezone", "Mars/Olympus", "time zone"),
            ("secret_key", "", "not empty"),
        ],
    )
    def test_a_wrong_value_is_refused_with_its_name_and_the_cure(
        self, conf: Config, name: str, value: Any, cure: str
    ) -> None:
        before = conf[name]
        with pytest.raises(ImproperlyConfigured, match=f"'{name}' is .*must be .*{cure}"):
            conf[name] = value

        assert conf[name] == before

    @pytest.mark.parametrize("key", ["", b""], ids=["text", "bytes"])
    def test_an_empty_key_is_called_empty(self, conf: Config, key: str | bytes) -> None:
        with pytest.raises(ImproperlyConfigured, match=re.escape(f"'secret_key' is {key!r}, but")):
            conf.secret_key = key
        with pytest.raises(ImproperlyConfigured, match="secret_key has 0 bytes"):
            connect("redis://localhost", secret_key=key)

    def test_an_update_with_one_mistake_changes_nothing(self, conf: Config) -> None:
        with pytest.raises(ImproperlyConfigured):
            conf.update({"task_serializer": "json"}, task_time_limit="soon")

        assert conf.task_serializer is None

    def test_an_error_shows_neither_passwords_nor_endless_values(self, conf: Config) -> None:
        with pytest.raises(ImproperlyConfigured) as hidden:
            conf["broker_url"] = {"redis://user:hunter2@host"}
        with pytest.raises(ImproperlyConfigured) as bounded:
            conf["task_time_limit"] = "x" * 10_000

        assert "hunter2" not in str(hidden.value)
        assert len(str(bounded.value)) < 300

    def test_a_value_whose_repr_fails_is_refused_all_the_same(self, conf: Config) -> None:
        class Hostile:
            def __repr__(self) -> str:
                raise RuntimeError

        with pytest.raises(ImproperlyConfigured, match="Hostile"):
            conf.task_time_limit = Hostile()  # type: ignore[assignment]


class TestSources:
    def test_a_module_gives_its_settings_by_old_and_new_names(self, conf: Config) -> None:
        conf.from_object(module(BROKER_URL="sqlite:///a.db", task_serializer="json"))

        assert (conf.broker_url, conf.task_serializer) == ("sqlite:///a.db", "json")

    def test_what_a_module_imports_or_defines_is_no_setting(self, conf: Config) -> None:
        def helper() -> None: ...

        names = {"timezone": timezone, "os": types.ModuleType("os"), "HELPER": helper}
        conf.from_object(module(**names, here="x", _task_serializer="y"))

        assert dict(conf) == dict(Config())

    def test_a_function_can_be_a_route(self, conf: Config) -> None:
        def route(name: str, *_: Any) -> str:
            return name

        conf.from_object(module(task_routes=route))

        assert conf.task_routes is route

    def test_a_misspelt_name_in_a_module_raises_and_names_the_module(self, conf: Config) -> None:
        with pytest.raises(ImproperlyConfigured, match=r"'task_serialiser' in celeryconfig"):
            conf.from_object(module(task_serialiser="json"))

    def test_all_unknown_names_of_a_module_share_one_short_warning(self, conf: Config) -> None:
        with pytest.warns(UserWarning, match=r"N00, .*N09 and 20 more") as caught:
            conf.from_object(module(**{f"N{i:02}": i for i in range(30)}))

        assert len(caught) == 1
        assert conf.N29 == 29

    def test_a_module_with_one_wrong_value_changes_nothing(self, conf: Config) -> None:
        with pytest.raises(ImproperlyConfigured, match="'task_time_limit' in celeryconfig is 'x'"):
            conf.from_object(module(enable_utc=False, task_time_limit="x"))

        assert conf.enable_utc is True

    def test_a_class_gives_what_it_inherits_as_well(self, conf: Config) -> None:
        class Base:
            task_default_queue = "base"

        class Production(Base):
            enable_utc = False

        conf.from_object(Production)

        assert (conf.task_default_queue, conf.enable_utc) == ("base", False)

    def test_an_object_gives_its_attributes_but_not_its_methods(self, conf: Config) -> None:
        class Options:
            def __init__(self) -> None:
                self.task_default_queue = "mine"

            def RELOAD(self) -> None: ...  # noqa: N802

        conf.from_object(Options())

        assert conf.task_default_queue == "mine"
        assert "RELOAD" not in conf

    def test_every_name_of_a_mapping_counts(self, conf: Config) -> None:
        with pytest.warns(UserWarning, match="mine"):
            conf.from_object({"CELERY_TIMEZONE": "UTC", "mine": 1})

        assert (conf.timezone, conf.mine) == ("UTC", 1)

    @pytest.mark.parametrize("namespace", ["CELERY", "CELERY_"])
    def test_a_namespace_leaves_all_other_names_out(self, conf: Config, namespace: str) -> None:
        settings = {
            "CELERY_BROKER_URL": "sqlite:///a.db",
            "CELERY_TASK_RESULT_EXPIRES": 5,  # an old name, as a whole
            "CELERY_ALWAYS_EAGER": True,  # so is this
            "CELERY_BEAT_SCHEDULE": {"a": {}},
            "TASK_SERIALIZER": "pickle",
            "DEBUG": True,
        }
        conf.from_object(module(**settings), namespace=namespace)

        assert conf.broker_url == "sqlite:///a.db"
        assert conf.result_expires == 5
        assert conf.task_always_eager is True
        assert conf.beat_schedule == {"a": {}}
        assert conf.task_serializer is None
        assert "DEBUG" not in conf

    def test_a_namespace_may_have_any_name_and_be_misspelt_within(self, conf: Config) -> None:
        conf.from_object({"LITEQ_TASK_DEFAULT_QUEUE": "q"}, namespace="LITEQ")
        assert conf.task_default_queue == "q"

        with pytest.raises(ImproperlyConfigured, match="task_serializer"):
            conf.from_object({"LITEQ_TASK_SERIALISER": "json"}, namespace="LITEQ")

    def test_a_dotted_name_is_imported(
        self, conf: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "conf_by_name.py").write_text(
            "task_default_queue = 'module'\nclass Other:\n    task_default_queue = 'class'\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        found = []
        for name in ("conf_by_name", "conf_by_name:Other", "conf_by_name.Other"):
            conf.from_object(name)
            found.append(conf.task_default_queue)
        sys.modules.pop("conf_by_name")

        assert found == ["module", "class", "class"]

    @pytest.mark.parametrize("name", ["no_such_module", "no_such.module", "os:no_such", "os.nope"])
    def test_a_name_that_cannot_be_imported_is_a_clear_error(self, conf: Config, name: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=f"'{name.replace('.', '[.:]')}'"):
            conf.from_object(name)

    def test_an_error_inside_the_module_is_not_hidden(
        self, conf: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "conf_that_fails.py").write_text("1 / 0\n")
        monkeypatch.syspath_prepend(tmp_path)

        with pytest.raises(ZeroDivisionError):
            conf.from_object("conf_that_fails")

    def test_other_defaults_are_overridden_by_settings_before_or_after(self, conf: Config) -> None:
        conf.task_default_queue = "before"
        conf.add_defaults({"task_default_queue": "d", "task_serializer": "d", "timezone": "UTC"})
        conf.add_defaults(lambda: {"result_expires": 5})
        conf.task_serializer = "after"

        assert conf.task_default_queue == "before"
        assert conf.task_serializer == "after"
        assert conf.timezone == "UTC"
        assert conf.result_expires == 5


class TestShowing:
    def test_the_table_has_what_was_set_or_everything(self, conf: Config) -> None:
        conf.task_serializer = "json"

        assert conf.table() == {"task_serializer": "json"}
        assert conf.table(with_defaults=True).keys() == SETTINGS.keys()
        assert conf.humanize() == "task_serializer: json"

    def test_secrets_are_shown_only_on_request(self, conf: Config) -> None:
        conf.broker_url = "rediss://me:hunter1@x/hunter1@host/0?ssl_password=hunter2&timeout=5"
        conf.secret_key = "hunter3"
        with pytest.warns(UserWarning, match="redis_password|MY_TOKEN"):
            conf.update(redis_password="hunter4", MY_TOKEN="hunter5")

        shown = conf.humanize() + repr(conf)

        assert "hunter" not in shown
        assert "rediss://me:***@host/0?ssl_password=***&timeout=5" in shown
        assert "hunter3" in conf.humanize(censored=False)
