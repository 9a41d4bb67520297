"""Celery's names of settings: the old ones, and those that mean nothing here."""

from ..support.nearest import nearest
from .settings import SETTINGS

# `CELERYD_CONCURRENCY` is now `worker_concurrency`: the prefix of an old name, and those that the
# new name may have.
PREFIXES = (
    ("celeryd_", ("worker_", "", "task_")),
    ("celerybeat_", ("beat_",)),
    ("celery_", ("", "task_", "worker_")),
)

RENAMED = {  # not only by their prefix
    "cassandra_column_family": "cassandra_table",
    "celery_eager_propagates_exceptions": "task_eager_propagates",
    "celery_max_cached_results": "result_cache_max",
    "celery_message_compression": "result_compression",
    "celery_result_db_short_lived_sessions": "database_short_lived_sessions",
    "celery_result_db_table_names": "database_table_names",
    "celery_result_db_tablenames": "database_table_names",
    "celery_result_dburi": "result_backend",
    "celery_result_engine_options": "database_engine_options",
    "celery_send_events": "worker_send_task_events",
    "celery_send_task_sent_event": "task_send_sent_event",
    "celery_task_result_expires": "result_expires",
}

_REASONS = {
    "everything about the store is in broker_url": """
        broker_connection_max_retries broker_connection_retry broker_connection_retry_on_startup
        broker_connection_timeout broker_channel_error_retry broker_failover_strategy broker_host
        broker_login_method broker_password broker_pool_acquire_timeout broker_pool_limit
        broker_port broker_read_url broker_transport broker_transport_options broker_use_ssl
        broker_user broker_vhost broker_write_url
    """,
    "liteq has no server to keep a heartbeat with": "broker_heartbeat broker_heartbeat_checkrate",
    "liteq has queues only, no exchanges, bindings or delivery modes": """
        broker_native_delayed_delivery_queue_type result_exchange result_exchange_type
        task_create_missing_queue_exchange_type task_create_missing_queue_type
        task_default_delivery_mode task_default_exchange task_default_exchange_type
        task_default_queue_type task_default_routing_key worker_detect_quorum_queues
    """,
    "a priority is any integer": "task_queue_max_priority",
    "results are kept in the broker's own store": """
        arangodb_backend_settings azureblockblob_base_path azureblockblob_connection_timeout
        azureblockblob_container_name azureblockblob_read_timeout
        azureblockblob_retry_increment_base azureblockblob_retry_initial_backoff_sec
        azureblockblob_retry_max_attempts cache_backend cache_backend_options
        cassandra_auth_kwargs cassandra_auth_provider cassandra_bundle_path cassandra_entry_ttl
        cassandra_keyspace cassandra_options cassandra_port cassandra_read_consistency
        cassandra_secure_bundle_path cassandra_servers cassandra_table
        cassandra_write_consistency
        cosmosdbsql_collection_name cosmosdbsql_consistency_level cosmosdbsql_database_name
        cosmosdbsql_max_retry_attempts cosmosdbsql_max_retry_wait_time couchbase_backend_settings
        database_create_tables_at_setup database_engine_callback database_engine_options
        database_short_lived_sessions database_table_names database_table_schemas database_url
        elasticsearch_max_retries elasticsearch_retry_on_timeout
        elasticsearch_save_meta_as_text elasticsearch_timeout gcs_base_path gcs_bucket
        gcs_project gcs_ttl mongodb_backend_settings override_backends
        redis_backend_credential_provider redis_backend_health_check_interval
        redis_backend_use_ssl redis_client_name redis_db redis_host redis_max_connections
        redis_password redis_port redis_retry_on_timeout redis_socket_connect_timeout
        redis_socket_keepalive redis_socket_timeout redis_username result_backend_always_retry
        result_backend_base_sleep_between_retries_ms result_backend_max_retries
        result_backend_max_sleep_between_retries_ms result_backend_thread_safe
        result_backend_transport_options result_persistent s3_access_key_id s3_base_path
        s3_bucket s3_endpoint_url s3_region s3_secret_access_key
    """,
    "a result always has its task's name, arguments and worker": "result_extended",
    "results are read from the store when they are asked for": "result_cache_max",
    "a chord's body is sent by the transaction that finishes its header; nothing is polled": """
        result_chord_join_timeout result_chord_retry_interval
    """,
    "payloads are stored as they are": "result_compression task_compression",
    "liteq has a message format of its own": "task_protocol",
    "errors always carry the remote traceback, as a note": "task_remote_tracebacks",
    "pickle across Redis is signed with secret_key": """
        security_cert_store security_certificate security_digest security_key
        security_key_password
    """,
    "a task that fails is finished; use retries to run it again": """
        task_acks_on_failure task_acks_on_failure_or_timeout task_acks_on_timeout
    """,
    "a task whose process died runs again, within task_max_lost, if task_acks_late is set": """
        task_reject_on_worker_lost
    """,
    "liteq has no rate limits yet": "task_default_rate_limit worker_disable_rate_limits",
    "a finished task cannot be delivered again": "worker_deduplicate_successful_tasks",
    "a worker claims what it can run, and the store keeps the rest": """
        worker_disable_prefetch worker_enable_prefetch_count_reduction worker_eta_task_limit
        worker_prefetch_multiplier
    """,
    "a running task is its worker's while that worker lives": """
        worker_cancel_long_running_tasks_on_connection_loss worker_lost_wait
    """,
    "the pool looks after its processes by itself, and can always be restarted and resized": """
        worker_autoscaler worker_pool_putlocks worker_pool_restarts worker_proc_alive_timeout
    """,
    "the worker cannot be assembled from other parts": """
        worker_agent worker_consumer worker_timer worker_timer_precision
    """,
    "the time that running tasks have to finish is shutdown_grace": """
        worker_enable_soft_shutdown_on_idle worker_soft_shutdown_timeout
    """,
    "revoked tasks are marked in the store": "worker_state_db",
    "workers have no queues of their own": "worker_direct",
    "there are no event messages; tools read the store": """
        event_exchange event_queue_durable event_queue_exclusive event_queue_expires
        event_queue_prefix event_queue_ttl event_serializer task_send_sent_event
        worker_send_task_events
    """,
    "orders to workers are in the store, for as long as they are worth something": """
        control_exchange control_queue_durable control_queue_exclusive control_queue_expires
        control_queue_ttl
    """,
    "the root logger is always left alone": "worker_hijack_root_logger",
    "log lines have no colours": "worker_log_color",
    "schedules are kept in the store, and every worker fires them": """
        beat_cron_starting_deadline beat_max_loop_interval beat_schedule_filename beat_scheduler
        beat_sync_every
    """,
    "it is an option of the command line": "worker_logfile worker_pidfile",
    "it is an option of the command line, or the business of the system's service manager": """
        beat_executable beat_gid beat_logfile beat_pidfile beat_uid beat_umask events_executable
        events_gid events_logfile events_pidfile events_uid events_umask worker_executable
        worker_gid worker_uid worker_umask
    """,
}

MEANINGLESS = {name: reason for reason, names in _REASONS.items() for name in names.split()}
"""Celery's settings that mean nothing here, with the reason."""


def current_name(name: str) -> str | None:
    """Return today's name of the setting `name`, in either case; None for an unknown name."""
    return next((new for new in _spellings(name) if new in SETTINGS or new in MEANINGLESS), None)


def nearest_name(name: str) -> str | None:
    """Return the setting that `name` looks like a misspelling of, or None.

    Programs keep names of their own among the settings, and in modules those are in upper case:
    `TIME_ZONE` is Django's, not a misspelt `timezone`. So an upper-case name is compared only
    when it begins like one of ours.
    """
    spellings = _spellings(name)
    if name.isupper() and not spellings[0].startswith(_PREFIXES_OF_SETTINGS):
        return None
    found = (nearest(spelling, SETTINGS, _CLOSE) for spelling in spellings)
    return next(filter(None, found), None)


_CLOSE = 0.85  # one or two letters wrong
_PREFIXES_OF_SETTINGS = ("celery", "broker_", "result_", "task_", "worker_", "beat_")


def _spellings(name: str) -> list[str]:
    """Return the names that `name` may stand for: itself first, then what it was renamed to."""
    name = name.lower()
    if name in RENAMED:
        return [RENAMED[name]]
    spellings = [name]
    for old, beginnings in PREFIXES:
        if name.startswith(old):
            spellings += [new + name.removeprefix(old) for new in beginnings]
    return spellings
