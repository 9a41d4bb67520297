"""Signals: who hears of what, and that nobody can do harm by listening."""

import gc
import logging
from typing import Any

import pytest

from liteq import signals
from liteq.signals import Signal


class Ear:
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def listen(self, sender: object, **named: Any) -> str:
        self.heard.append((sender, named))
        return "heard"


@pytest.fixture
def signal() -> Signal:
    return Signal("happened")


def test_a_receiver_gets_the_sender_and_what_the_signal_provides(signal: Signal) -> None:
    ear = Ear()
    signal.connect(ear.listen)

    answers = signal.send("me", result=42)

    assert ear.heard == [("me", {"signal": signal, "result": 42})]
    assert answers == [(ear.listen, "heard")]


def test_a_receiver_of_one_sender_hears_no_other(signal: Signal) -> None:
    ear = Ear()
    signal.connect(ear.listen, sender="me")

    signal.send("you")
    signal.send("me")

    assert [sender for sender, _ in ear.heard] == ["me"]
    assert signal.has_listeners("me")
    assert not signal.has_listeners("you")


def test_connect_is_a_decorator_with_and_without_arguments(signal: Signal) -> None:
    heard = []

    @signal.connect
    def all_of_it(**_: Any) -> None:
        heard.append("all")

    @signal.connect(sender="me")
    def mine(**_: Any) -> None:
        heard.append("mine")

    signal.send("you")
    signal.send("me")

    assert heard == ["all", "all", "mine"]


def test_connecting_twice_is_connecting_once(signal: Signal) -> None:
    ear = Ear()
    signal.connect(ear.listen)
    signal.connect(ear.listen)

    signal.send(None)

    assert len(ear.heard) == 1


def test_methods_of_two_objects_are_two_receivers(signal: Signal) -> None:
    one, two = Ear(), Ear()
    signal.connect(one.listen)
    signal.connect(two.listen)

    signal.send(None)

    assert (len(one.heard), len(two.heard)) == (1, 1)


def test_of_one_dispatch_uid_only_the_first_counts(signal: Signal) -> None:
    one, two = Ear(), Ear()
    signal.connect(one.listen, dispatch_uid="audit")
    signal.connect(two.listen, dispatch_uid="audit")

    signal.send(None)

    assert (len(one.heard), len(two.heard)) == (1, 0)
    assert signal.disconnect(dispatch_uid="audit")
    assert signal.receivers == ()


def test_a_disconnected_receiver_hears_nothing(signal: Signal) -> None:
    ear = Ear()
    signal.connect(ear.listen)

    assert signal.disconnect(ear.listen)
    assert not signal.disconnect(ear.listen)
    signal.send(None)

    assert ear.heard == []


def test_a_receiver_that_is_gone_is_forgotten_unless_it_is_to_be_kept(signal: Signal) -> None:
    heard = []

    def connect() -> None:
        signal.connect(lambda **_: heard.append("weak"))
        signal.connect(lambda **_: heard.append("kept"), weak=False)

    connect()
    gc.collect()
    signal.send(None)

    assert heard == ["kept"]
    assert len(signal.receivers) == 1


def test_a_failing_receiver_is_logged_and_the_others_hear_all_the_same(
    signal: Signal, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: Any) -> None:
        raise ValueError("deaf")

    ear = Ear()
    signal.connect(fail)
    signal.connect(ear.listen)

    with caplog.at_level(logging.ERROR):
        answers = signal.send(None)

    assert isinstance(answers[0][1], ValueError)
    assert len(ear.heard) == 1
    assert "happened" in caplog.text
    assert "deaf" in caplog.text


def test_a_receiver_may_disconnect_itself_while_it_is_called(signal: Signal) -> None:
    ear = Ear()

    def once(**_: Any) -> None:
        signal.disconnect(once)

    signal.connect(once)
    signal.connect(ear.listen)

    signal.send(None)
    signal.send(None)

    assert len(ear.heard) == 2
    assert len(signal.receivers) == 1


def test_what_cannot_be_referred_to_weakly_is_kept(signal: Signal) -> None:
    heard: list[Any] = []
    signal.connect(heard.__len__)  # a builtin's method takes no arguments: it will fail, and stays

    assert isinstance(signal.send(None)[0][1], TypeError)


def test_signals_of_celery_are_all_there_under_their_own_names() -> None:
    named = {name: value for name, value in vars(signals).items() if isinstance(value, Signal)}

    assert len(named) == 28
    assert all(signal.name == name for name, signal in named.items())
