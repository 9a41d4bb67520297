"""Exceptions that one thread raises in another."""

import threading
import time

import pytest

from liteq.support.interruption import Ended, Interruption


def spin(begun: threading.Event | None = None) -> str:
    if begun is not None:
        begun.set()
    end = time.monotonic() + 20
    while time.monotonic() < end:
        pass
    return "done"


def test_a_function_that_is_struck_is_interrupted() -> None:
    interruption, begun = Interruption(Ended), threading.Event()

    def strike() -> None:
        begun.wait(20)
        interruption.strike()

    thread = threading.Thread(target=strike)
    thread.start()
    with pytest.raises(Ended):
        interruption.call(spin, begun)
    thread.join()
    assert interruption.struck


def test_a_function_that_was_to_be_interrupted_before_does_not_begin() -> None:
    interruption = Interruption(Ended)
    interruption.strike()
    assert not interruption.struck

    with pytest.raises(Ended):
        interruption.call(spin)
    assert interruption.struck


def test_a_function_that_has_ended_is_not_interrupted_and_nor_is_what_comes_next() -> None:
    interruption = Interruption(Ended)

    assert interruption.call(lambda x: x + 1, 1) == 2
    interruption.strike()
    for _ in range(1000):
        pass
    assert not interruption.struck


def test_one_that_catches_it_returns_what_it_likes_and_nothing_comes_after() -> None:
    interruption, begun = Interruption(Ended), threading.Event()

    def stubborn() -> str:
        try:
            return spin(begun)
        except Ended:
            return "caught"

    def strike() -> None:
        begun.wait(20)
        for _ in range(3):
            interruption.strike()

    thread = threading.Thread(target=strike)
    thread.start()
    assert interruption.call(stubborn) == "caught"
    thread.join()
    assert interruption.struck
