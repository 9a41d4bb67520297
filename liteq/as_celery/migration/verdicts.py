"""Judge one use of Celery: make its verdict.

No rule is written down here. Each is run as the program would run it, and a verdict is made of
what comes of that: an error, a warning, or nothing.
"""

import warnings
from collections.abc import Callable, Iterable
from importlib import import_module
from inspect import Parameter, signature
from types import SimpleNamespace
from typing import Any, NamedTuple

from ...app.base import LiteQ
from ...app.control import Control
from ...app.factory import task_of
from ...app.inspect import Inspect
from ...app.keywords import KEYWORDS, checked
from ...app.options import NAMES, check_option, nearest_option
from ...app.store import warn_of_other_results
from ...brokers import connect, is_of_celery, serves
from ...config import SETTINGS, Config
from ...config.celery import current_name
from ...exceptions import LiteqError
from ...pools import pool_class
from ...sending.options import MEANINGLESS, check_options
from ...support.nearest import nearest, suggestion
from ...support.plugins import load
from ...support.warning import warn
from ...task import Task
from .. import kombu
from ..counterparts import DIFFERENT, MISSING, SERVED, reason_for
from .findings import WORKS, Verdict, differs, missing

_FAULTS = (LiteqError, AttributeError, ImportError, TypeError, ValueError)
_CLOSE = 0.85  # a letter or two wrong
_ELSEWHERE = "broker_url"  # stands for the URL of a broker that another line gives
_NO_APP: Any = None
_NAME = "..."  # of a task
_A_TASK = f"task {_NAME}: "  # how errors about it begin


class Unknown:
    """A value that the code computes."""


UNKNOWN: Unknown = Unknown()


class Call(NamedTuple):
    """The arguments of a call, as far as the code says them."""

    positional: int  # how many
    keywords: list[str]


def verdict_of(rule: Callable[[], object]) -> Verdict:
    """Run `rule`; return MISSING for an error, DIFFERS for a warning, else WORKS."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            rule()
        except _FAULTS as exc:
            return missing(str(exc).removeprefix(_A_TASK))
    return differs(str(caught[0].message).removeprefix(_A_TASK)) if caught else WORKS


# names of modules


def of_name(name: str) -> Verdict:
    """Return the verdict on a module of Celery's, or on a name in one."""
    module, _, attribute = name.rpartition(".")
    if name in SERVED:
        return _of_served(SERVED[name])
    if module not in SERVED:
        return missing(reason_for(name))
    try:
        value = load(name)
    except AttributeError:
        near = nearest(attribute, dir(import_module(module)), _CLOSE)
        return missing(f"there is no such name{suggestion(near)}" if near else reason_for(name))
    except ModuleNotFoundError:  # a package that is not installed here, such as pytest
        return WORKS
    if name in DIFFERENT:
        return differs(DIFFERENT[name])
    if getattr(value, "__module__", "") == kombu.__name__:
        return differs(value.__doc__.partition("\n")[0])
    return _of_served(SERVED[module])


def _of_served(sources: Iterable[str]) -> Verdict:
    """Return that a module of Python's own differs."""
    others = [each for each in sources if each.startswith("multiprocessing")]
    return differs(f"it is Python's {others[0]}") if others else WORKS


# the application


def of_application(call: Call) -> list[tuple[str, Verdict]]:
    """Return the verdicts on `Celery(...)`: on the call, and on keywords that are no settings."""
    verdicts = [("Celery(...)", verdict_of(lambda: _bind(LiteQ, call)))]
    return verdicts + [(f"Celery({name}=...)", _of_keyword(name)) for name in call.keywords]


def _of_keyword(name: str) -> Verdict:
    if name in KEYWORDS:
        return WORKS
    return verdict_of(lambda: Config().update(checked({name: None})))


def of_member(kind: type, celerys: str, name: str) -> Verdict | None:
    """Return the verdict on an attribute of an object; None for one that is the program's own.

    `kind`: its class in liteq. `celerys`: its class in Celery, as the tables name it.
    """
    known = f"{celerys}.{name}"
    if hasattr(kind, name) and known not in MISSING:
        return WORKS
    own = reason_for(known) == reason_for(celerys) and kind not in (Control, Inspect)
    return None if own else missing(reason_for(known))


# options


def of_function(*, is_async: bool) -> Verdict:
    """Return the verdict on a function, or a coroutine function, that is made a task."""

    async def function() -> None: ...

    return verdict_of(lambda: task_of(_NO_APP, function, _NAME, Task)) if is_async else WORKS


def of_task_option(name: str) -> Verdict:
    """Return the verdict on an option of a task: `@app.task(name=...)`."""
    if name == "name" or name in NAMES:
        return WORKS
    verdict = verdict_of(lambda: check_option(_NAME, name))
    return _of_near(nearest_option(name, None)) or verdict


def of_task_attribute(name: str, *, is_method: bool) -> Verdict | None:
    """Return the verdict on an attribute of a class of tasks; None for the program's own."""
    if hasattr(Task, name):
        return WORKS
    if is_method:
        return _of_near(nearest_option(name, of_task_attribute))  # as any function
    verdict = of_task_option(name)
    return verdict if verdict.why else None


def _of_near(near: str | None) -> Verdict | None:
    if near is None:
        return None
    return differs(f"no option of liteq, and only an attribute{suggestion(near)}")


def of_call_options(method: Callable[..., Any], call: Call) -> list[tuple[str, Verdict]]:
    """Return the verdicts on a call of `apply_async` or `retry`: on all of it, and its options."""
    own = [each.name for each in _parameters(method) if each.kind is not Parameter.VAR_KEYWORD]
    verdicts = [("...", verdict_of(lambda: _bind(method, call)))]
    options = [name for name in call.keywords if name not in own]
    return verdicts + [(f"{name}=...", _of_call_option(name)) for name in options]


def _of_call_option(name: str) -> Verdict:
    if name in MEANINGLESS:
        return differs("accepted, and does nothing: there are no exchanges and connections")
    return verdict_of(lambda: check_options({name: None}))


def _bind(function: Callable[..., Any], call: Call) -> None:
    """Raise TypeError if `function`, a class or a method, does not take that many arguments."""
    taken = [each for each in _parameters(function) if each.kind is _BY_POSITION]
    if call.positional > len(taken):
        names = ", ".join(each.name for each in taken)
        raise TypeError(f"only {names} may be given by position: give the others by name")


_BY_POSITION = Parameter.POSITIONAL_OR_KEYWORD


def _parameters(function: Callable[..., Any]) -> list[Parameter]:
    found = signature(function).parameters.values()
    return [each for each in found if each.name != "self"]


# settings


def of_setting(name: str, value: Any = UNKNOWN, namespace: str | None = None) -> Verdict | None:
    """Return the verdict on a setting; None for a name that is no setting of Celery's or liteq's.

    `namespace`: as in `config_from_object`.
    """
    conf = Config()
    if value is UNKNOWN:
        value = _any_value(name, namespace)
    source = SimpleNamespace(**{name: value})
    verdict = verdict_of(lambda: conf.from_object(source, namespace))
    if verdict.why:
        return verdict if _is_known(conf) or not conf.table() else None
    if not conf.table():
        return None
    return verdict_of(lambda: _check(conf))


def _any_value(name: str, namespace: str | None) -> Any:
    """Return a value that the setting may have."""
    short = name.removeprefix(f"{namespace}_") if namespace else name
    known = current_name(short) or current_name(name)
    return SETTINGS[known].default if known in SETTINGS else None


def _is_known(conf: Config) -> bool:
    return any(current_name(name) for name in conf.table())


def _check(conf: Config) -> None:
    """Check what is otherwise found out later, when the store is opened and the worker starts."""
    if conf.broker_url and is_of_celery(conf.broker_url):
        scheme = conf.broker_url.partition("://")[0]
        warn(
            f"liteq has no {scheme}:// broker: set LITEQ_BROKER_URL, which takes the place of such "
            "a URL, or give one of sqlite:// or redis://"
        )
    elif conf.broker_url and not serves(conf.broker_url):
        connect(conf.broker_url)  # raises
    pool_class(conf.worker_pool)
    if conf.result_backend and not serves(conf.result_backend):  # else see `of_stores`
        conf.broker_url = conf.broker_url or _ELSEWHERE
        warn_of_other_results(conf, None)


def of_stores(broker_url: str, result_backend: str) -> Verdict:
    """Return the verdict on a `result_backend` beside this `broker_url`."""
    conf = Config()
    conf.update(broker_url=broker_url, result_backend=result_backend)
    return verdict_of(lambda: warn_of_other_results(conf, None))


def of_setting_read(name: str) -> Verdict | None:
    """Return the verdict on `app.conf.<name>` where it is read; None for the program's own."""
    if hasattr(Config, name):
        return WORKS
    verdict = verdict_of(lambda: getattr(Config(), name))
    if verdict is WORKS:
        return WORKS
    return differs(verdict.why) if current_name(name) else of_setting(name)


def of_url(url: str) -> Verdict:
    """Return the verdict on the URL of a broker."""
    return of_setting("broker_url", url) or WORKS


def of_pool(name: str) -> Verdict:
    """Return the verdict on the name of a pool."""
    return verdict_of(lambda: pool_class(name))


CLASSES: dict[str, tuple[type[Any], str]] = {
    "app": (LiteQ, "celery.Celery"),
    "control": (Control, "celery.app.control.Control"),
    "inspect": (Inspect, "celery.app.control.Inspect"),
    "task": (Task, "celery.Task"),
}
"""The classes of objects, here and in Celery."""
