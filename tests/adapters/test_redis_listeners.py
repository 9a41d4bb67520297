"""Listeners on Redis: their connections, which are lost and opened again."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from selectors import DefaultSelector

import pytest

pytest.importorskip("redis")

from liteq import LiteQ
from liteq.brokers import connect
from liteq.brokers.base import Claim
from liteq.brokers.redis import RedisBroker, listeners
from liteq.brokers.redis.listeners import ChannelListener
from liteq.model.message import Message
from liteq.model.outcome import Settlement
from liteq.states import Phase
from tests.faults.proxy import Proxy
from tests.servers import (
    RedisServer,
    needs_redis,
    running_cluster,
    running_sentinels,
    running_server,
    wait_until,
)

pytestmark = needs_redis
CHANNEL = "{liteq}:news:results"
SOON = 5.0  # seconds


@pytest.fixture
def broker(proxy: Proxy) -> Iterator[RedisBroker]:
    """A broker behind the proxy."""
    broker = connect(f"redis://127.0.0.1:{proxy.port}/0?timeout=1&connect_timeout=1")
    assert isinstance(broker, RedisBroker)
    with closing(broker):
        yield broker


def test_an_order_is_noticed_though_its_message_comes_in_parts(broker: RedisBroker) -> None:
    listener = broker.work_listener(broker.register("worker", "{}"))
    assert isinstance(listener, ChannelListener)
    with closing(listener):
        listener.ordered()
        message = b"*3\r\n$7\r\nmessage\r\n$70\r\n" + listener._orders + b"\r\n$0\r\n\r\n"
        for cut in range(1, len(message)):
            listener._look_for_orders(message[:cut])
            listener._look_for_orders(message[cut:])
            assert listener.ordered(), cut
            listener._look_for_orders(
                b"*3\r\n$7\r\nmessage\r\n$17\r\n{liteq}:news:work\r\n$0\r\n\r\n"
            )
            assert not listener.ordered()


@pytest.fixture
def listener(broker: RedisBroker) -> ChannelListener:
    listener = broker.result_listener()
    assert isinstance(listener, ChannelListener)
    settle_down(listener)
    return listener


def settle_down(listener: ChannelListener) -> None:
    """Wait until it is not notified."""
    while listener.wait(0.0):
        pass


def publish(server: RedisServer) -> int:
    """Notify; return how many connections were notified."""
    return int(server.command("PUBLISH", CHANNEL, ""))


def test_a_listener_whose_connection_breaks_is_notified_and_connected_again(
    server: RedisServer, proxy: Proxy, listener: ChannelListener
) -> None:
    proxy.reset()

    assert listener.wait(SOON)  # something may have been missed
    settle_down(listener)
    assert publish(server) == 1
    assert listener.wait(SOON)


def test_a_listener_is_connected_again_after_a_restart(
    server: RedisServer, listener: ChannelListener
) -> None:
    server.kill()
    wait_until(lambda: listener.wait(0.1), "the end of the connection")
    assert listener.fileno() >= 0
    server.start()

    wait_until(lambda: not listener.wait(0.1) and publish(server) == 1, "a new connection")
    assert listener.wait(SOON)


def test_a_selector_follows_a_listener_to_its_new_connection(
    server: RedisServer, proxy: Proxy, broker: RedisBroker
) -> None:
    with closing(broker.work_listener(1)) as listener, DefaultSelector() as selector:
        listener.watch(selector, "mine")
        proxy.reset()
        assert [key.data for key, _ in selector.select(SOON)] == ["mine"]
        listener.clear()
        assert selector.select(0) == []  # it does not spin
        listener.missed()
        assert selector.select(0) == []

        server.command("PUBLISH", "{liteq}:news:work", "")

        assert [key.data for key, _ in selector.select(SOON)] == ["mine"]


def test_a_listener_gives_a_connection_up_on_which_no_reply_comes(
    server: RedisServer,
    proxy: Proxy,
    broker: RedisBroker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listeners, "_PING_EVERY", 0.1)
    listener = broker.result_listener()
    wait_until(lambda: not listener.wait(0.3), "silence, with pings that are replied to")

    proxy.mute = True

    wait_until(lambda: listener.wait(0.1), "the loss to be noticed")
    proxy.mute = False
    wait_until(lambda: not listener.wait(0.1) and publish(server) >= 1, "a new connection")
    assert listener.wait(SOON)


def test_what_a_thread_does_not_read_does_not_fill_the_server(
    server: RedisServer, listener: ChannelListener
) -> None:
    text = "x" * 100_000
    for _ in range(500):
        server.command("PUBLISH", CHANNEL, text)

    wait_until(lambda: output_buffers(server) == 0, "the messages to be read")
    assert listener.wait(SOON)  # it stays notified


def output_buffers(server: RedisServer) -> int:
    clients = str(server.command("CLIENT", "LIST", "TYPE", "PUBSUB"))
    return sum(int(word[5:]) for word in clients.split() if word.startswith("omem="))


def test_a_listener_that_is_not_used_is_disconnected_until_it_is(
    server: RedisServer, listener: ChannelListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "_KEEP_IDLE", 0.0)

    wait_until(lambda: publish(server) == 0, "the end of the connection")
    wait_until(lambda: not tending(), "the end of the thread")
    monkeypatch.undo()
    settle_down(listener)
    assert publish(server) == 1
    assert listener.wait(SOON)
    assert tending()


def tending() -> bool:
    return any(CHANNEL in thread.name for thread in threading.enumerate())


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_process_has_a_listener_of_its_own(
    server: RedisServer, broker: RedisBroker, listener: ChannelListener
) -> None:
    pid = os.fork()
    if pid == 0:
        own = broker.result_listener()
        settle_down(own)  # type: ignore[arg-type]
        fits = listener.fileno() < 0 <= own.fileno() and publish(server) == 2 and own.wait(SOON)
        os._exit(0 if fits else 1)
    _, status = os.waitpid(pid, 0)

    assert status == 0
    assert listener.wait(SOON)
    settle_down(listener)
    wait_until(lambda: publish(server) == 1, "the end of the child's connection")
    assert listener.wait(SOON)


def test_a_listener_that_cannot_be_subscribed_costs_no_more_than_a_wait() -> None:
    broker = connect("redis://127.0.0.1:1/0")
    with closing(broker), closing(broker.result_listener()) as listener:
        assert not listener.wait(0.0)
        assert listener.fileno() >= 0


# what a thread has just sent


def message(id: str) -> Message:
    return Message(id, "add", b"[[1, 2], {}]", "json", "celery")


def test_a_listener_is_notified_of_what_its_thread_sent_since_it_was_cleared(
    broker: RedisBroker, listener: ChannelListener
) -> None:
    assert not broker.is_notified_of(["a"])
    broker.enqueue([message("a"), message("b")])
    assert broker.is_notified_of(["a", "b"])
    assert not broker.is_notified_of(["a", "c"])

    worker = broker.register("worker", "{}")
    (delivery,) = broker.claim(Claim(worker, ("celery",), 1))
    broker.settle([Settlement(delivery.receipt, Phase.SUCCEEDED, 1.0)])
    assert listener.wait(SOON)

    assert not broker.is_notified_of(["b"])


def test_a_task_that_is_known_may_have_ended_before(
    broker: RedisBroker, listener: ChannelListener
) -> None:
    broker.enqueue([message("a")])
    listener.clear()

    broker.enqueue([message("a"), message("b")])

    assert not broker.is_notified_of(["a"])


def test_a_listener_that_has_lost_its_connection_may_have_missed_what_was_sent(
    proxy: Proxy, broker: RedisBroker, listener: ChannelListener
) -> None:
    broker.enqueue([message("a")])
    proxy.reset()
    wait_until(lambda: not broker.is_notified_of(["a"]) or listener.wait(0.1), "the loss")

    assert not broker.is_notified_of(["a"])


def test_other_threads_are_not_notified_of_what_one_has_sent(
    broker: RedisBroker, listener: ChannelListener
) -> None:
    broker.enqueue([message("a")])
    with ThreadPoolExecutor(1) as other:
        assert not other.submit(broker.is_notified_of, ["a"]).result()


def test_results_come_one_after_the_other_to_the_thread_that_sent_the_tasks(
    server: RedisServer, tmp_path: Path
) -> None:
    app = LiteQ("once", broker=server.url, set_as_current=False)

    @app.task(name="add")
    def add(x: int, y: int) -> int:
        return x + y

    with app.Worker(pool="threads"):
        assert add.delay(1, 2).get(timeout=SOON) == 3
        for n in range(10):
            assert add.delay(n, 1).get(timeout=SOON) == n + 1


@pytest.mark.parametrize("kind", ["server", "sentinels", "cluster"])
def test_a_process_may_open_any_number_of_connections_one_after_the_other(
    kind: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        if kind == "server":
            url = stack.enter_context(running_server(tmp_path)).url
        elif kind == "sentinels":
            *_, url = stack.enter_context(running_sentinels(tmp_path))
        else:
            _, url = stack.enter_context(running_cluster(tmp_path))
        broker = stack.enter_context(closing(connect(url)))

        def use(n: int) -> None:  # in a thread of its own, as for each request to a web server
            broker.counts()
            with closing(broker.result_listener()) as listener:
                assert isinstance(listener, ChannelListener)
                assert listener._socket is not None

        failed: list[BaseException] = []
        for n in range(120):  # redis-py 8 allows 100 unless told otherwise
            thread = threading.Thread(target=_noting(failed, use), args=(n,))
            thread.start()
            thread.join()
        assert failed == []


def _noting(failed: list[BaseException], work: Callable[[int], None]) -> Callable[[int], None]:
    def run(n: int) -> None:
        try:
            work(n)
        except BaseException as exc:
            failed.append(exc)

    return run
