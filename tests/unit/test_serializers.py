"""Serializers: values that come back the same, and values that are refused."""

import dataclasses
import enum
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liteq import serializers
from liteq.exceptions import ContentDisallowed, ImproperlyConfigured, SerializationError
from liteq.serializers import Codecs, get, register_serializer, unregister

TAG = "__liteq__"
both = pytest.mark.parametrize("name", ["json", "pickle"])


def there_and_back(value: Any, name: str = "json") -> Any:
    serializer = get(name)
    return serializer.loads(serializer.dumps(value))


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


text = st.text(st.characters(codec="utf-8"))
offsets = st.integers(-86_399, 86_399).map(lambda seconds: timezone(timedelta(seconds=seconds)))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | text
    | st.binary()
    | st.datetimes(timezones=st.none() | offsets)
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
)
keys = (
    text
    | st.sampled_from([TAG, "1", "-1.5", "true", "null"])
    | st.none()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.dates()
    | st.tuples(st.integers(), text)
)
members = st.recursive(
    scalars, lambda inner: st.frozensets(inner) | st.tuples(inner, inner), max_leaves=5
)
values = st.recursive(
    scalars | st.sets(members) | st.frozensets(members),
    lambda inner: st.lists(inner) | st.dictionaries(keys, inner),
    max_leaves=20,
)


class TestRoundTrips:
    @both
    @given(value=values)
    def test_a_value_comes_back_the_same_and_of_the_same_type(self, name: str, value: Any) -> None:
        found = there_and_back(value, name)

        assert found == value
        assert type(found) is type(value)

    @pytest.mark.parametrize(
        "value",
        [
            bytearray(b"\0\xff"),
            Path("a") / "b",
            datetime.max.replace(tzinfo=UTC),
            timedelta.min,
            Decimal("-Infinity"),
            Decimal("1.10"),
            2**64,
            "\N{PILE OF POO}\0\x1b[31m\u202e",
            {frozenset({(1, ("a", None))}), b"x"},
            {1: "a", "1": "b", 1.5: {None: 2}, (1, "x"): [{b"x": 1}]},
            {TAG: ["datetime", "2020-01-01"]},
            {TAG: {TAG: 1}, "a": [{TAG: b"x"}]},
            {"text": '{"__liteq__":["set",[]]}'},
        ],
    )
    def test_json_keeps(self, value: Any) -> None:
        found = there_and_back(value)

        assert found == value
        assert type(found) is type(value)

    def test_json_keeps_a_decimal_nan(self) -> None:
        assert there_and_back(Decimal("NaN")).is_nan()

    def test_json_keeps_floats_that_are_no_numbers(self) -> None:
        found = there_and_back({"a": [math.nan, -math.inf], math.inf: {math.nan}})

        assert repr(found) == "{'a': [nan, -inf], inf: {nan}}"
        assert json.loads(get("json").dumps([math.nan])) == [{TAG: ["float", "nan"]}]

    @pytest.mark.parametrize("key", [1, -1, 1.5, 1e300, True, False, None, (1, 2), b"x"])
    def test_json_keeps_the_type_of_a_key(self, key: Any) -> None:
        places: list[Any] = [{key: 1}, {"a": 1, key: 1}, [{"x": [{key: 1}, date.min]}]]
        for value in places:
            assert repr(there_and_back(value)) == repr(value)

    def test_json_turns_tuples_into_lists_dataclasses_into_dicts_and_enums_into_values(
        self,
    ) -> None:
        class Colour(enum.Enum):
            RED = 1

        class Size(enum.StrEnum):
            BIG = "big"

        @dataclasses.dataclass
        class Point:
            x: int
            when: date

        value = [(1, (2,)), Point(1, date(2020, 2, 29)), Colour.RED, {"size": Size.BIG}]

        assert there_and_back(value) == [
            [1, [2]],
            {"x": 1, "when": date(2020, 2, 29)},
            1,
            {"size": "big"},
        ]

    def test_json_keeps_the_offset_of_a_time_zone_but_not_its_name(self) -> None:
        paris = timezone(timedelta(hours=1), "Paris")

        found = there_and_back(datetime(2020, 1, 1, tzinfo=paris))

        assert found.utcoffset() == timedelta(hours=1)

    def test_json_turns_any_pure_path_into_a_path_of_this_system(self) -> None:
        assert there_and_back(PurePosixPath("a")) == Path("a")

    def test_json_takes_values_that_say_how_they_are_written(self) -> None:
        class Money:
            def __json__(self) -> Any:
                return {"amount": Decimal(3)}

        assert there_and_back([Money()]) == [{"amount": Decimal(3)}]

    def test_json_takes_lazy_texts_of_django_as_text(self) -> None:
        from django.utils.functional import lazystr

        assert there_and_back({"greeting": lazystr("hello")}) == {"greeting": "hello"}

    def test_plain_json_is_what_any_other_program_writes_and_reads(self) -> None:
        value = {"a": [1, 2.5, None, True, "ä"]}

        assert json.loads(get("json").dumps(value)) == value
        assert get("json").loads(json.dumps(value, indent=2).encode()) == value

    def test_the_last_of_two_equal_keys_wins(self) -> None:
        assert get("json").loads(b'{"a": 1, "a": 2}') == {"a": 2}


class Hostile:
    def __reduce__(self) -> Any:
        raise RuntimeError("x" * 10_000)


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError


class Muted:
    def __reduce__(self) -> Any:
        raise Mute


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: int


UNWRITABLE: dict[str, tuple[Any, str]] = {
    "a key that cannot be one again": ({Frozen(1): 1}, "has the key .*Frozen.*, which JSON cannot"),
    "half a character": ("\ud800", "surrogates not allowed"),
    "half a character in a key": ({"\udfff": date.min}, "surrogates not allowed"),
    "an integer of 5001 digits": (10**5000, "digits"),
    "an object": (object(), "a value of the type 'object'.*serializer='pickle'"),
}

UNREADABLE = {
    "nothing": (b"", "JSON"),
    "half an object": (b"{", "JSON"),
    "no UTF-8": (b"\xff", "utf-8"),
    "a number that is none": (b"[NaN]", "NaN is not JSON"),
    "a number without end": (b"-Infinity", "Infinity is not JSON"),
    "an integer of 5000 digits": (b"1" * 5000, "digits"),
    "nesting without end": (b"[" * 200_000, "nested too deeply"),
    "tags without end": (b'{"__liteq__":[' * 200_000, "nested too deeply"),
    "an unknown kind": (b'{"__liteq__":["later","x"]}', "does not know"),
    "a tag and more": (b'{"__liteq__":["date","2020-01-01"],"more":1}', "does not know"),
    "a kind that is a list": (b'{"__liteq__":[["date"],"x"]}', "does not know"),
    "a tag that is a number": (b'{"__liteq__":1}', "does not know"),
    "an impossible date": (b'{"__liteq__":["date","2020-02-30"]}', "a date that is none"),
    "junk for bytes": (b'{"__liteq__":["bytes","!"]}', "a bytes that is none"),
    "a dict for a number": (b'{"__liteq__":["decimal",{}]}', "a decimal that is none"),
    "a list for a key": (b'{"__liteq__":["dict",[[{"a":1},1]]]}', "a dict that is none"),
    "a text for a float": (b'{"__liteq__":["float","x"]}', "a float that is none"),
    "a set of dicts": (b'{"__liteq__":["set",[{}]]}', "a set that is none"),
}


class TestRefusals:
    @both
    @pytest.mark.parametrize(
        "make",
        [threading.Lock, lambda: (i for i in "x"), lambda: lambda: None, lambda: sys.stdout],
        ids=["lock", "generator", "lambda", "file"],
    )
    def test_a_value_that_cannot_be_encoded_is_refused(
        self, name: str, make: Callable[[], Any]
    ) -> None:
        with pytest.raises(SerializationError, match=r"pickle|JSON"):
            get(name).dumps([make()])

    @both
    def test_nesting_without_end_is_refused(self, name: str) -> None:
        with pytest.raises(SerializationError, match="nested too deeply"):
            get(name).dumps(nested(200_000))

    def test_json_refuses_a_value_that_contains_itself(self) -> None:
        loop: list[Any] = [date.min]
        loop.append(loop)

        with pytest.raises(SerializationError, match="contains itself"):
            get("json").dumps(loop)

    @pytest.mark.parametrize("kind", [Hostile, Muted])
    def test_an_object_that_raises_any_error_is_refused_briefly(self, kind: type) -> None:
        with pytest.raises(SerializationError) as caught:
            get("pickle").dumps(kind())

        assert len(str(caught.value)) < 1200

    @pytest.mark.parametrize("what", UNWRITABLE)
    def test_json_says_why_it_refuses(self, what: str) -> None:
        value, reason = UNWRITABLE[what]

        with pytest.raises(SerializationError, match=reason):
            get("json").dumps(value)

    def test_json_refuses_a_set_it_could_not_read_back(self) -> None:
        @dataclasses.dataclass(frozen=True)
        class Point:
            x: int

        for value in ({Point(1)}, frozenset({("a", Point(1))})):
            with pytest.raises(SerializationError, match="use a list"):
                get("json").dumps(value)

    @pytest.mark.parametrize("what", UNREADABLE)
    def test_json_says_why_bytes_are_not_its_own(self, what: str) -> None:
        data, reason = UNREADABLE[what]

        with pytest.raises(SerializationError, match=reason):
            get("json").loads(data)

    @pytest.mark.parametrize(
        "data", [b"", b"junk", b"\x80\x05", b"cno_such_module\nname\n.", b"cos\nno_such\n."]
    )
    def test_pickle_says_that_bytes_are_not_its_own(self, data: bytes) -> None:
        with pytest.raises(SerializationError, match="pickle cannot decode"):
            get("pickle").loads(data)

    @given(data=st.binary() | text.map(str.encode))
    def test_json_raises_nothing_else_for_any_bytes(self, data: bytes) -> None:
        try:
            get("json").loads(data)
        except SerializationError:
            pass


class TestNames:
    @pytest.fixture(autouse=True)
    def forget(self) -> Iterator[None]:
        yield
        unregister("mine")
        unregister("json")

    def test_content_types_are_names_as_well(self) -> None:
        assert get("application/json") is get("json")
        assert get("application/x-python-serialize") is get("pickle")

    def test_only_pickle_needs_a_trusted_writer(self) -> None:
        assert get("pickle").trusted
        assert not get("json").trusted

    def test_an_unknown_name_is_an_error_that_lists_the_known_ones(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="'yaml'; known are json, pickle"):
            get("yaml")

    def test_a_registered_serializer_is_known_until_it_is_unregistered(self) -> None:
        register_serializer("mine", lambda value: repr(value).encode(), lambda data: data.decode())

        assert there_and_back([1], "mine") == "[1]"
        unregister("mine")
        with pytest.raises(ImproperlyConfigured):
            get("mine")

    def test_a_registered_serializer_may_stand_in_for_a_built_in_one(self) -> None:
        register_serializer("json", lambda _: b"{}", lambda _: 42)
        assert there_and_back("x", "application/json") == 42

        unregister("json")
        assert there_and_back("x") == "x"

    def test_what_a_registered_serializer_raises_is_a_serialization_error(self) -> None:
        register_serializer("mine", lambda value: bytes(value.nothing), json.loads)

        with pytest.raises(SerializationError, match="mine cannot encode it: AttributeError"):
            get("mine").dumps(1)
        with pytest.raises(SerializationError, match="mine cannot decode the bytes: JSON"):
            get("mine").loads(b"")

    def test_a_registered_serializer_must_make_bytes(self) -> None:
        register_serializer("mine", json.dumps, json.loads)  # type: ignore[arg-type]

        with pytest.raises(SerializationError, match="mine made a str; it must make bytes"):
            get("mine").dumps(1)

    def test_a_package_adds_one_by_an_entry_point(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        info = tmp_path / "plugin-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Name: plugin\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[liteq.serializers]\nmine = plugin:SERIALIZER\n")
        (tmp_path / "plugin.py").write_text(
            "from liteq.serializers import Serializer\n"
            "SERIALIZER = Serializer('mine', bytes, lambda data: 1 / 0, trusted=True)\n"
        )
        monkeypatch.syspath_prepend(tmp_path)

        assert get("mine") is get("mine")  # looking it up takes milliseconds
        assert get("mine").trusted
        assert get("mine").dumps(b"x") == b"x"
        with pytest.raises(SerializationError, match="ZeroDivisionError"):
            get("mine").loads(b"")

    def test_only_accepted_serializers_can_be_used(self) -> None:
        codecs = Codecs(["application/json"])

        assert codecs["json"] is get("json")
        with pytest.raises(ContentDisallowed, match=r"'pickle'.*accept_content allows only json"):
            codecs["pickle"]

    def test_accepting_an_unknown_serializer_is_an_error_at_once(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="yaml"):
            Codecs(["json", "yaml"])

    def test_plain_values_do_not_import_modules_for_rich_ones(self) -> None:
        code = (
            "import sys; from liteq.serializers import get; json = get('json');"
            "json.loads(json.dumps({'a': [1]}));"
            "print(*{'liteq.serializers.pickle', 'liteq.serializers.rich', 'decimal', 'uuid'}"
            " & set(sys.modules))"
        )
        # Else coverage would be there as well, and load what it needs.
        env = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
        ran = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )

        assert ran.stdout.strip() == ""

    def test_every_built_in_serializer_goes_by_its_own_name(self) -> None:
        assert [get(name).name for name in serializers.SERIALIZERS] == list(serializers.SERIALIZERS)


def test_times_of_day_and_ids_are_tagged_in_a_documented_way() -> None:
    value = [time(8, 30), UUID(int=1), {1}]

    assert json.loads(get("json").dumps(value)) == [
        {TAG: ["time", "08:30:00"]},
        {TAG: ["uuid", "00000000-0000-0000-0000-000000000001"]},
        {TAG: ["set", [1]]},
    ]
