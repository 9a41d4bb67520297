"""Signatures: calls to make later."""

import copy
import json
import pickle
from typing import Any

import pytest

from liteq import LiteQ, Signature, maybe_signature, signature, subtask
from liteq.exceptions import NotRegistered
from liteq.testing import drain

from .conftest import message_of


@pytest.fixture
def show(app: LiteQ) -> Any:
    @app.task(name="show", typing=False)
    def show(*args: Any, **kwargs: Any) -> Any:
        return list(args), kwargs

    return show


def test_a_signature_is_a_dict_of_what_is_to_be_called(show: Any) -> None:
    assert show.s(1, x=2) == {
        "task": "show",
        "args": (1,),
        "kwargs": {"x": 2},
        "options": {},
        "subtask_type": None,
        "immutable": False,
    }


def test_a_signature_can_be_written_in_many_ways(show: Any, app: LiteQ) -> None:
    expected = show.s(1, x=2).set(countdown=3)

    assert show.signature((1,), {"x": 2}, countdown=3) == expected
    assert show.subtask((1,), {"x": 2}, countdown=3) == expected
    assert signature("show", (1,), {"x": 2}, countdown=3) == expected
    assert signature(show, (1,), {"x": 2}, {"countdown": 3}) == expected
    assert app.signature("show", (1,), {"x": 2}, countdown=3) == expected
    assert Signature("show", [1], {"x": 2}, countdown=3) == expected
    assert subtask is signature


def test_arguments_of_the_call_go_before_its_own_and_keywords_over_them(
    app: LiteQ, show: Any
) -> None:
    result = show.s(2, x=1, y=1).delay(1, y=2)
    drain(app)

    assert result.get(timeout=0) == ([1, 2], {"x": 1, "y": 2})


def test_an_immutable_one_takes_no_arguments_but_options(app: LiteQ, show: Any) -> None:
    result = show.si(2).apply_async((1,), {"y": 2}, priority=3)
    drain(app)

    assert result.get(timeout=0) == ([2], {})
    assert message_of(result).priority == 3


def test_a_call_of_one_calls_the_task_in_this_process(show: Any) -> None:
    assert show.s(2)(1, z=3) == ([1, 2], {"z": 3})
    assert show.s(2).apply((1,)).get() == ([1, 2], {})


def test_options_are_kept_and_those_of_the_call_go_over_them(app: LiteQ, show: Any) -> None:
    waiting = show.s().set(queue="mail", priority=1)

    message = message_of(waiting.apply_async(priority=2))

    assert (message.queue, message.priority) == ("mail", 2)


def test_inverting_one_sends_it_and_waits(app: LiteQ, show: Any) -> None:
    app.conf.task_always_eager = True

    assert ~show.s(1) == ([1], {})


def test_a_frozen_one_keeps_its_id_and_others_get_new_ones(show: Any) -> None:
    frozen, free = show.s(), show.s()

    id = frozen.freeze().id

    assert frozen.id == id
    assert frozen.freeze().id == id
    assert frozen.apply_async().id == id
    assert free.delay().id != free.delay().id
    assert free.freeze("mine", root_id="r", parent_id="p").id == "mine"
    assert (free.root_id, free.parent_id) == ("r", "p")


def test_attributes_are_items_and_can_be_set(show: Any) -> None:
    call = show.s(1)
    call.args = (5,)
    call.kwargs = {"a": 1}
    call.immutable = True
    call.id = "mine"
    call.task = "other"

    assert call == Signature("other", (5,), {"a": 1}, {"task_id": "mine"}, immutable=True)
    assert call.name == "other"
    assert call.subtask_type is None


def test_a_clone_is_another_one_with_more_arguments(show: Any) -> None:
    call = show.s(2, x=1)
    clone = call.clone((1,), {"y": 2}, countdown=3)

    assert clone == show.s(1, 2, x=1, y=2).set(countdown=3)
    assert call == show.s(2, x=1)
    assert clone.app is call.app


def test_replace_puts_others_in_place_of_its_own(show: Any) -> None:
    call = show.s(2, x=1).set(countdown=3)

    assert call.replace((1,), {}, {}) == show.s(1)
    assert call.replace() == call


def test_a_signature_survives_json_pickle_and_copying(app: LiteQ, show: Any) -> None:
    call = show.s(1, x=[2]).set(queue="mail")

    restored = signature(json.loads(json.dumps(call)))
    assert type(restored) is Signature
    assert restored.apply().get() == ([1], {"x": [2]})
    for twin in (pickle.loads(pickle.dumps(call)), copy.copy(call), copy.deepcopy(call)):
        assert type(twin) is Signature
        assert twin == call
        assert twin is not call
        twin.set(queue="other")
    assert call.options == {"queue": "mail"}


def test_kinds_of_signatures_come_back_as_what_they_were(
    show: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Special(Signature):
        @classmethod
        def from_dict(cls, fields: Any, app: Any = None) -> "Special":
            return cls(dict(fields), app=app)

    monkeypatch.setitem(Signature.TYPES, "special", Special)

    assert type(signature({**show.s(1), "subtask_type": "special"})) is Special
    assert type(Special("show", subtask_type="special").clone()) is Special


def test_maybe_signature_returns_other_values_as_they_are(show: Any) -> None:
    call = show.s(1)

    assert maybe_signature(call) is call
    assert maybe_signature(call, clone=True) is not call
    assert type(maybe_signature(dict(call))) is Signature
    assert maybe_signature({"task": "show"}) == {"task": "show"}
    assert maybe_signature(None) is None
    assert signature(call) == call
    assert signature(call) is not call


def test_a_task_that_is_not_registered_is_sent_by_name(app: LiteQ) -> None:
    call = app.signature("elsewhere", (1,))

    result = call.apply_async(queue="mail")

    assert message_of(result).task == "elsewhere"
    with pytest.raises(NotRegistered, match="elsewhere"):
        call()


def test_its_repr_is_the_call(show: Any) -> None:
    assert repr(show.s(1, "a", x=2)) == "show(1, 'a', x=2)"
