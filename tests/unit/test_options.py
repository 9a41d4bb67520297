"""The options of a message: one parsed copy for readers, a new dict for those who change it.

And those of a call, as type checkers see them.
"""

from typing import Any, cast

import pytest

from liteq.beat.periodic import FIELDS, PeriodicOptions
from liteq.model.message import Message
from liteq.model.options import options_of, parse_options
from liteq.sending.call_options import CanvasOptions, RetryOptions, SendOptions
from liteq.sending.options import KNOWN, OF_THE_CALL


def message(options: str | None = None) -> Message:
    return Message("id", "task", b"", "json", "celery", options=options)


@pytest.mark.parametrize("text", [None, "", "{}"])
def test_a_message_without_options_has_an_empty_mapping(text: str | None) -> None:
    assert options_of(message(text)) == {}
    assert parse_options(message(text)) == {}


def test_options_are_those_of_the_text() -> None:
    assert options_of(message('{"time_limit":5}'))["time_limit"] == 5
    assert parse_options(message('{"time_limit":5}')) == {"time_limit": 5}


def test_shared_options_cannot_be_changed() -> None:
    for text in (None, '{"time_limit":5}'):
        with pytest.raises(TypeError):
            cast(dict[str, Any], options_of(message(text)))["time_limit"] = 6


def test_parsed_options_are_the_callers_own() -> None:
    text = '{"headers":{"a":1}}'
    parse_options(message(text))["headers"]["a"] = 2

    assert parse_options(message(text)) == {"headers": {"a": 1}}
    assert options_of(message(text)) == {"headers": {"a": 1}}


def test_text_that_is_not_json_is_a_value_error() -> None:
    for read in (options_of, parse_options):
        with pytest.raises(ValueError, match="Expecting"):
            read(message("{"))


def test_type_checkers_know_the_options_that_are_accepted_and_no_others() -> None:
    assert SendOptions.__optional_keys__ == {*KNOWN, *OF_THE_CALL}
    assert CanvasOptions.__optional_keys__ - {*KNOWN, *OF_THE_CALL} == {"on_error"}


def test_type_checkers_know_the_fields_of_a_periodic_task() -> None:
    own = PeriodicOptions.__optional_keys__ - RetryOptions.__optional_keys__

    assert own == {*FIELDS, "args", "kwargs", "name"}
