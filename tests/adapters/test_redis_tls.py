"""Redis behind TLS: a real server, with a certificate made for the test."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from selectors import DefaultSelector
from typing import NamedTuple

import pytest

pytest.importorskip("redis")

from liteq import LiteQ
from liteq.brokers import connect
from liteq.brokers.redis import RedisBroker
from liteq.exceptions import BrokerUnavailable
from tests.servers import BINARY, free_port, running_server

pytestmark = pytest.mark.skipif(
    BINARY is None or shutil.which("openssl") is None, reason="needs redis-server and openssl"
)


class Secured(NamedTuple):
    """A server with TLS on `port`, and its certificate `cert` for `127.0.0.1`."""

    port: int
    cert: Path
    key: Path


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(key), "-out", str(cert)),
            *("-subj", "/CN=liteq", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    port = free_port()
    files = ("--tls-cert-file", str(cert), "--tls-key-file", str(key))
    options = ("--tls-port", str(port), *files, "--tls-ca-cert-file", str(cert))
    with running_server(folder, *options):
        yield Secured(port, cert, key)


def app_at(url: str) -> LiteQ:
    app = LiteQ("secured", broker=url, set_as_current=False)
    app.conf.update(task_publish_retry=False)
    return app


def test_tasks_and_results_pass_through_tls_with_certificates_of_server_and_client(
    secured: Secured,
) -> None:
    own = f"certfile={secured.cert}&keyfile={secured.key}"  # the server requires one
    app = app_at(f"rediss://127.0.0.1:{secured.port}/0?ca_certs={secured.cert}&{own}")

    @app.task
    def add(x: int, y: int) -> int:
        return x + y

    with app.Worker(pool="threads", concurrency=1):
        assert [add.delay(n, 1).get(timeout=20) for n in range(20)] == [n + 1 for n in range(20)]
    app.close()


def test_the_options_of_urls_for_celery_hold(secured: Secured) -> None:
    own = f"ssl_certfile={secured.cert}&ssl_keyfile={secured.key}"
    # Signed by no known authority, and for another name.
    app = app_at(f"rediss://localhost:{secured.port}/0?ssl_cert_reqs=CERT_NONE&{own}")

    app.send_task("x")
    assert sum(count.tasks for count in app.broker.counts()) >= 1
    app.control.purge()
    app.close()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("", "CERTIFICATE_VERIFY_FAILED"),  # it is signed by no known authority
        ("ca_certs={cert}", "."),  # the client has no certificate
        ("ca_certs=/nowhere/ca.pem", "/nowhere/ca.pem"),
    ],
)
def test_a_server_or_a_client_without_a_valid_certificate_is_refused(
    secured: Secured, options: str, why: str
) -> None:
    text = options.format(cert=secured.cert)
    app = app_at(f"rediss://127.0.0.1:{secured.port}/0?{text}")
    with pytest.raises(BrokerUnavailable, match=why):
        app.send_task("add", (1, 2))
    app.close()


def test_host_names_are_checked_unless_the_url_turns_that_off(secured: Secured) -> None:
    own = f"ca_certs={secured.cert}&certfile={secured.cert}&keyfile={secured.key}"
    url = f"rediss://localhost:{secured.port}/0?{own}"
    strict, lax = app_at(url), app_at(f"{url}&check_hostname=no")

    with pytest.raises(BrokerUnavailable, match="localhost"):
        strict.send_task("add", (1, 2))
    assert lax.send_task("add", (1, 2)).state == "PENDING"
    strict.close()
    lax.close()


def test_a_listener_reads_all_that_came_through_tls(secured: Secured) -> None:
    own = f"certfile={secured.cert}&keyfile={secured.key}"
    broker = connect(f"rediss://127.0.0.1:{secured.port}/0?ca_certs={secured.cert}&{own}")
    assert isinstance(broker, RedisBroker)
    with closing(broker), closing(broker.work_listener(1)) as listener:
        while listener.wait(0.0):
            pass
        for _ in range(3):  # records that arrive together
            broker.server.execute("PUBLISH", "{liteq}:news:work", "x" * 50_000)

        assert listener.wait(5.0)
        with DefaultSelector() as selector:
            listener.watch(selector, None)
            listener.clear()
            assert selector.select(0) == []
            broker.server.execute("PUBLISH", "{liteq}:news:work", "")
            assert selector.select(5.0)
