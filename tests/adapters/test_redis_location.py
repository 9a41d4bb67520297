"""URLs of Redis stores."""

import pytest

pytest.importorskip("redis")

from liteq.brokers import connect
from liteq.brokers.redis.location import Host, locate
from liteq.exceptions import ConfigurationError


def test_a_url_has_host_database_user_and_options() -> None:
    found = locate("redis://ada:s%40crit@db.example:6380/3?timeout=2.5&name=shop")

    assert found.hosts == (Host("db.example", 6380),)
    assert (found.db, found.username, found.password) == (3, "ada", "s@crit")
    assert (found.timeout, found.prefix, found.tls) == (2.5, "{liteq:shop}", None)


def test_parts_that_a_url_leaves_out_have_defaults() -> None:
    found = locate("redis://")

    assert (found.hosts, found.db, found.password) == ((Host("localhost", 6379),), 0, None)
    assert found.prefix == "{liteq}"


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
def test_some_schemes_turn_tls_on(scheme: str) -> None:
    assert locate(f"{scheme}://host?ca_certs=/ca.pem").tls == {"ca_certs": "/ca.pem"}


@pytest.mark.parametrize("value", ["CERT_NONE", "none"])
def test_tls_is_set_by_the_names_that_urls_for_celery_have(value: str) -> None:
    found = locate(f"rediss://h?ssl_cert_reqs={value}&ssl_ca_certs=/ca.pem")

    assert found.tls == {"cert_reqs": "none", "check_hostname": False, "ca_certs": "/ca.pem"}
    assert locate("rediss://h?ssl_cert_reqs=CERT_REQUIRED").tls == {"cert_reqs": "required"}
    with pytest.raises(
        ConfigurationError, match=r"cert_reqs='CERT_SOME'.*none, optional, required"
    ):
        locate("rediss://h?ssl_cert_reqs=CERT_SOME")


@pytest.mark.parametrize(
    "url", ["unix:///run/redis.sock?db=2", "redis+socket:///run/redis.sock?virtual_host=2"]
)
def test_a_unix_socket_is_a_path(url: str) -> None:
    found = locate(url)

    assert (found.socket, found.db, found.hosts) == ("/run/redis.sock", 2, ())


def test_a_url_of_sentinels_names_the_master() -> None:
    found = locate("redis+sentinel://:secret@one,two:26380,[::1]:5/mymaster/1?sentinel_password=x")

    assert found.hosts == (Host("one", 26379), Host("two", 26380), Host("::1", 5))
    assert (found.master, found.db, found.password) == ("mymaster", 1, "secret")
    assert found.sentinel_password == "x"


def test_a_url_of_a_cluster_has_some_of_its_nodes() -> None:
    assert locate("redis+cluster://a:7000,b").hosts == (Host("a", 7000), Host("b", 6379))


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2@host/0",
        "redis://ada:hunter2@host/0",
        "rediss://ada:hunter2@host:6380/0?timeout=1",
        "redis+sentinel://ada:hunter2@one,two/name?sentinel_password=hunter2",
    ],
)
def test_no_secret_is_shown(url: str) -> None:
    broker = connect(url)

    assert "hunter2" not in broker.url
    assert ":***@" in broker.url
    assert broker.address == url
    assert "hunter2" not in repr(broker)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://:hunter2@host/zero", "is not a number"),
        ("redis://:hunter2@host?timeot=1", "did you mean 'timeout'"),
        ("redis://:hunter2@host?timeout=soon", "give it in seconds"),
        ("redis://:hunter2@host?name=a b", "only letters"),
        ("redis+sentinel://:hunter2@host", "does not name the master"),
        ("redis+cluster://:hunter2@host?wait_replicas=1", "not for clusters"),
    ],
)
def test_errors_about_a_url_do_not_show_its_secrets(url: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as caught:
        connect(url)

    assert "hunter2" not in str(caught.value)
