"""Key templates, and the keys that they make of the arguments of calls."""

import enum
import functools
import uuid
from datetime import UTC, date, datetime
from typing import Any

import pytest

from liteq.exceptions import InvalidTaskError
from liteq.model.keytemplate import Arguments, parse


class Colour(enum.Enum):
    RED = "red"


def key(text: str, function: Any, *args: Any, **kwargs: Any) -> str:
    template = parse(text)
    return template.key(Arguments(function, template.names, "task t").values(args, kwargs))


def pay(account: Any, amount: Any = 1, *, currency: Any = "eur") -> None:
    pass


def test_a_text_without_braces_is_its_own_key() -> None:
    assert key("openai", pay, 7) == "openai"


def test_a_key_is_the_same_however_the_arguments_are_passed() -> None:
    text = "a:{account}:{amount}:{currency}"
    assert key(text, pay, 7) == "a:7:1:eur"
    assert key(text, pay, account=7) == "a:7:1:eur"
    assert key(text, pay, 7, 1, currency="eur") == "a:7:1:eur"
    assert key(text, pay, "7", amount=1) == "a:7:1:eur"


def test_double_braces_are_braces_of_the_key() -> None:
    assert key("{{{account}}}", pay, 7) == "{7}"
    assert key("{{account}}", pay, 7) == "{account}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (None, "None"),
        (True, "True"),
        (1.5, "1.5"),
        (Colour.RED, "red"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02T03:00:00+00:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_values_that_have_a_text_of_their_own_may_be_in_a_key(value: Any, text: Any) -> None:
    assert key("{account}", pay, value) == text


@pytest.mark.parametrize("value", [[1], (1,), {"a": 1}, {1}, b"x", object()])
def test_values_that_are_no_texts_are_refused(value: Any) -> None:
    with pytest.raises(InvalidTaskError, match="such values are not compared"):
        key("a{account}", pay, value)


@pytest.mark.parametrize("text", ["a{", "a}", "{}", "{a.b}", "{a[0]}", "{0}", "{a!r}", "{{}"])
def test_what_is_no_name_in_braces_is_refused(text: Any) -> None:
    with pytest.raises(InvalidTaskError, match="in braces stands the name of a parameter"):
        parse(text)


@pytest.mark.parametrize("text", ["", "a\n", "x" * 201, 7, None, "a\x00", "\ud800"])
def test_a_template_is_a_short_printable_text(text: Any) -> None:
    with pytest.raises(InvalidTaskError, match="1 to 200 printable characters"):
        parse(text)


@pytest.mark.parametrize("value", ["x" * 200, "a\nb", "\ud800"])
def test_a_key_is_a_short_printable_text(value: Any) -> None:
    with pytest.raises(InvalidTaskError, match="1 to 200 printable characters"):
        key("a:{account}", pay, value)


def test_a_parameter_that_the_task_has_not_is_refused_with_those_that_it_has() -> None:
    with pytest.raises(InvalidTaskError, match=r"no parameter 'user'.*account, amount, currency"):
        key("a:{user}", pay, 7)


def test_a_parameter_without_a_value_is_refused() -> None:
    with pytest.raises(InvalidTaskError, match="sent without 'account'"):
        key("a:{account}", pay)


def test_a_function_that_takes_any_keyword_may_be_given_the_parameter() -> None:
    assert key("a:{user}", lambda **kwargs: None, user=3) == "a:3"
    with pytest.raises(InvalidTaskError, match="sent without 'user'"):
        key("a:{user}", lambda **kwargs: None)


def test_the_parameters_of_methods_and_of_wrapped_functions_are_known() -> None:
    class Payments:
        def pay(self, account: Any) -> None:
            pass

    assert key("{account}", Payments().pay, 7) == "7"
    assert key("{amount}", functools.partial(pay, 7), 3) == "3"
    with pytest.raises(InvalidTaskError, match="no parameter 'self'"):
        key("{self}", Payments().pay, 7)


def test_the_names_of_parameters_do_not_matter_for_the_shape() -> None:
    assert parse("acct:{account}").shape == parse("acct:{user}").shape == "acct:{}"
