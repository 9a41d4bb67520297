"""Tasks with `pydantic=True`: dicts and models in, what a model dumps out."""

from __future__ import annotations

import sys
from datetime import date
from typing import Any, Optional

import pytest

from liteq import LiteQ
from liteq.exceptions import ImproperlyConfigured
from liteq.testing import drain
from tests.unit.conftest import make_task

pydantic: Any = pytest.importorskip("pydantic")


class Person(pydantic.BaseModel):  # type: ignore[misc]
    name: str
    born: date = pydantic.Field(alias="birthday")
    age: int = 0


class Greeting(pydantic.BaseModel):  # type: ignore[misc]
    to: str
    on: date


def greet(person: Person, other: Optional[Person] = None, more: Person | None = None) -> Greeting:  # noqa: UP045
    assert type(person) is Person
    to = [each.name for each in (person, other, more) if each is not None]
    return Greeting(to=" and ".join(to), on=person.born)


ANN: dict[str, Any] = {"name": "Ann", "birthday": "2000-02-29"}


def value(app: LiteQ, result: Any) -> Any:
    drain(app)
    return result.get(timeout=0)


@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_dicts_and_models_in_and_a_dict_out(app: LiteQ, serializer: str) -> None:
    app.conf["accept_content"] = [serializer]
    task = make_task(app, greet, pydantic=True)

    assert value(app, task.delay(ANN)) == {"to": "Ann", "on": "2000-02-29"}
    assert value(app, task.delay(Person(**ANN), other=None, more=ANN))["to"] == "Ann and Ann"
    assert value(app, task.delay(person=ANN, other=Person(**ANN)))["to"] == "Ann and Ann"
    assert task(ANN) == {"to": "Ann", "on": "2000-02-29"}


def test_annotations_may_be_types_and_the_task_may_be_bound(app: LiteQ) -> None:
    def job(self, person, number):  # type: ignore[no-untyped-def]
        return [self.name, person.name, number]

    job.__annotations__ = {"person": Person, "number": int}
    task = make_task(app, job, bind=True, name="job", pydantic=True)

    assert value(app, task.delay(ANN, "5")) == ["job", "Ann", "5"]
    with pytest.raises(TypeError, match="number"):
        task.delay(ANN)


def test_what_is_no_model_fails_the_task(app: LiteQ) -> None:
    task = make_task(app, greet, pydantic=True)
    strict = make_task(app, greet, name="strict", pydantic=True, pydantic_strict=True)
    loose = {**ANN, "birthday": date(2000, 2, 29), "age": "7"}

    with pytest.raises(Exception, match="birthday"):
        value(app, task.delay({"name": "Ann"}))
    assert value(app, task.delay(loose))["to"] == "Ann"
    with pytest.raises(Exception, match="age"):
        value(app, strict.delay(loose))


def test_validation_has_a_context_and_dumping_has_keywords(app: LiteQ) -> None:
    seen: dict[str, Any] = {}

    class Looking(Person):
        @pydantic.model_validator(mode="after")  # type: ignore[untyped-decorator]
        def look(self, info: Any) -> Any:
            seen.update(info.context)
            return self

    def job(person):  # type: ignore[no-untyped-def]
        return person

    job.__annotations__ = {"person": Looking, "return": Looking}
    task = make_task(
        app,
        job,
        name="job",
        pydantic=True,
        pydantic_context={"mine": 1},
        pydantic_dump_kwargs={"include": {"born"}, "by_alias": True, "mode": "python"},
    )

    assert value(app, task.delay(ANN)) == {"birthday": date(2000, 2, 29)}
    assert seen == {"mine": 1, "celery_app": app, "celery_task_name": "job"}


def test_an_annotation_that_cannot_be_resolved_warns_and_leaves_the_argument(app: LiteQ) -> None:
    def job(person: Nowhere, other: Person) -> Any:  # type: ignore[name-defined] # noqa: F821
        return person, other.name

    task = make_task(app, job, pydantic=True)

    with pytest.warns(UserWarning, match=r"'Nowhere' of person cannot be resolved"):
        assert task(ANN, ANN) == (ANN, "Ann")


def test_without_pydantic_the_error_says_how_to_get_it(
    app: LiteQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pydantic", None)

    with pytest.raises(ImproperlyConfigured, match="pip install pydantic"):
        make_task(app, greet, pydantic=True)


def test_its_options_alone_warn_that_they_do_nothing(app: LiteQ) -> None:
    with pytest.warns(UserWarning, match="pydantic_strict does nothing without pydantic=True"):
        make_task(app, greet, pydantic_strict=True)
