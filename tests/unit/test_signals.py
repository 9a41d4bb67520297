"""Signals: which receivers are called, and that a failing one does no harm."""

import gc
import logging
from typing import Any

import pytest

from liteq import signals
from liteq.signals import Signal


class Recorder:
    """A receiver that records its calls."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def receive(self, sender: object, **named: Any) -> str:
        self.calls.append((sender, named))
        return "received"


@pytest.fixture
def signal() -> Signal:
    return Signal("happened")


def test_a_receiver_gets_the_sender_and_what_the_signal_provides(signal: Signal) -> None:
    recorder = Recorder()
    signal.connect(recorder.receive)

    results = signal.send("me", result=42)

    assert recorder.calls == [("me", {"signal": signal, "result": 42})]
    assert results == [(recorder.receive, "received")]


def test_a_receiver_of_one_sender_is_not_called_for_others(signal: Signal) -> None:
    recorder = Recorder()
    signal.connect(recorder.receive, sender="me")

    signal.send("you")
    signal.send("me")

    assert [sender for sender, _ in recorder.calls] == ["me"]
    assert signal.has_listeners("me")
    assert not signal.has_listeners("you")


def test_connect_is_a_decorator_with_and_without_arguments(signal: Signal) -> None:
    called = []

    @signal.connect
    def all_of_it(**_: Any) -> None:
        called.append("all")

    @signal.connect(sender="me")
    def mine(**_: Any) -> None:
        called.append("mine")

    signal.send("you")
    signal.send("me")

    assert called == ["all", "all", "mine"]


def test_connecting_twice_is_connecting_once(signal: Signal) -> None:
    recorder = Recorder()
    signal.connect(recorder.receive)
    signal.connect(recorder.receive)

    signal.send(None)

    assert len(recorder.calls) == 1


def test_methods_of_two_objects_are_two_receivers(signal: Signal) -> None:
    one, two = Recorder(), Recorder()
    signal.connect(one.receive)
    signal.connect(two.receive)

    signal.send(None)

    assert (len(one.calls), len(two.calls)) == (1, 1)


def test_of_one_dispatch_uid_only_the_first_counts(signal: Signal) -> None:
    one, two = Recorder(), Recorder()
    signal.connect(one.receive, dispatch_uid="audit")
    signal.connect(two.receive, dispatch_uid="audit")

    signal.send(None)

    assert (len(one.calls), len(two.calls)) == (1, 0)
    assert signal.disconnect(dispatch_uid="audit")
    assert signal.receivers == ()


def test_a_disconnected_receiver_is_not_called(signal: Signal) -> None:
    recorder = Recorder()
    signal.connect(recorder.receive)

    assert signal.disconnect(recorder.receive)
    assert not signal.disconnect(recorder.receive)
    signal.send(None)

    assert recorder.calls == []


def test_a_deleted_receiver_is_dropped_unless_it_was_connected_strongly(signal: Signal) -> None:
    called = []

    def connect() -> None:
        signal.connect(lambda **_: called.append("weak"))
        signal.connect(lambda **_: called.append("kept"), weak=False)

    connect()
    gc.collect()
    signal.send(None)

    assert called == ["kept"]
    assert len(signal.receivers) == 1


def test_a_failing_receiver_is_logged_and_the_others_are_called(
    signal: Signal, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: Any) -> None:
        raise ValueError("broken")

    recorder = Recorder()
    signal.connect(fail)
    signal.connect(recorder.receive)

    with caplog.at_level(logging.ERROR):
        results = signal.send(None)

    assert isinstance(results[0][1], ValueError)
    assert len(recorder.calls) == 1
    assert "happened" in caplog.text
    assert "broken" in caplog.text


def test_a_receiver_may_disconnect_itself_while_it_is_called(signal: Signal) -> None:
    recorder = Recorder()

    def once(**_: Any) -> None:
        signal.disconnect(once)

    signal.connect(once)
    signal.connect(recorder.receive)

    signal.send(None)
    signal.send(None)

    assert len(recorder.calls) == 2
    assert len(signal.receivers) == 1


def test_a_receiver_without_weak_references_is_kept(signal: Signal) -> None:
    called: list[Any] = []
    signal.connect(called.__len__)  # a builtin's method takes no arguments: it will fail, and stays

    assert isinstance(signal.send(None)[0][1], TypeError)


def test_signals_of_celery_are_all_there_under_their_own_names() -> None:
    named = {name: value for name, value in vars(signals).items() if isinstance(value, Signal)}

    assert len(named) == 28
    assert all(signal.name == name for name, signal in named.items())
