"""The configuration of an application, `app.conf`.

`settings` is the table of all settings, `types` says how values are checked, `celery` knows the
names that Celery gave them.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from ..exceptions import ImproperlyConfigured
from .celery import MEANINGLESS, current_name, nearest_name
from .settings import SETTINGS, Setting, Settings
from .sources import pairs_of
from .types import CENSORED, repr_within_bounds

__all__ = ["MEANINGLESS", "SETTINGS", "Config", "Setting"]


class Config(Settings, MutableMapping[str, Any]):
    """Settings by attribute and by item, each checked when it is set.

    Celery's old upper-case names mean the settings they were renamed to. A name that looks
    misspelt raises ImproperlyConfigured, and so does a value that cannot be. A setting of Celery
    that means nothing here, and a name that nobody knows, are kept with a warning.

    Values are read when they are used, so they may be changed at any time.
    """

    # The settings themselves are the instance's `__dict__`, so reading one costs nothing extra.
    __slots__ = ("_chosen",)
    _chosen: set[str]  # what was set, as opposed to defaults

    def __init__(self) -> None:
        object.__setattr__(self, "_chosen", set())
        self.__dict__.update({name: _default(name) for name in SETTINGS})

    # as a mapping

    def __getitem__(self, name: str) -> Any:
        try:
            return self.__dict__[name]
        except KeyError:
            return self.__dict__[current_name(name) or name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._set([(name, value)])

    def __delitem__(self, name: str) -> None:
        """Back to the default; a name that is no setting is dropped."""
        name = current_name(name) or name
        del self.__dict__[name]
        self._chosen.discard(name)
        if name in SETTINGS:
            self.__dict__[name] = _default(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __len__(self) -> int:
        return len(self.__dict__)

    def update(self, *mappings: Any, **settings: Any) -> None:
        """Set all of the given settings, or, when one of them is wrong, none."""
        self._set(dict(*mappings, **settings).items())

    # as an object

    def __getattr__(self, name: str) -> Any:  # only names that `__dict__` lacks come here
        try:
            return self[name]
        except KeyError:
            raise AttributeError(_unknown(name), name=name, obj=self) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._set([(name, value)])

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(_unknown(name), name=name, obj=self) from None

    def __repr__(self) -> str:
        return f"<Config: {self.humanize()}>"

    # loading

    def from_object(self, source: Any, namespace: str | None = None) -> None:
        """Take the settings of a module, a class, an object or a mapping: all, or none.

        `source` may also be the dotted name of one, such as "proj.celeryconfig". Of anything but a
        mapping, names in lower case count if they are settings, names in upper case always.
        `namespace="CELERY"`: only names that begin with `CELERY_` count, without that beginning.
        Raises ImproperlyConfigured for what cannot be imported, a wrong value, a misspelt name.
        """
        origin, pairs = pairs_of(source, namespace)
        self._set(pairs, origin)

    load_object = from_object

    def add_defaults(self, defaults: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> None:
        """Other defaults than liteq's: they count where nothing is set, now or later."""
        mapping = defaults() if callable(defaults) else defaults
        values = self._checked(mapping.items(), "")
        self.__dict__.update({n: v for n, v in values.items() if n not in self._chosen})

    def _set(self, pairs: Iterable[tuple[str, Any]], origin: str = "") -> None:
        values = self._checked(pairs, origin)
        self.__dict__.update(values)
        self._chosen.update(values)

    def _checked(self, pairs: Iterable[tuple[str, Any]], origin: str) -> dict[str, Any]:
        """The settings by their present names, converted; warns of those that do nothing."""
        values = {}
        strangers = []
        for name, value in pairs:
            known = current_name(name)
            if known in SETTINGS:
                values[known] = _converted(known, value, origin)
                continue
            values[known or name] = value
            if (known or name) in self.__dict__:
                continue  # there was a warning when it first came
            if known:
                _warn(f"the setting {name!r}{origin} does nothing in liteq: {MEANINGLESS[known]}")
            else:
                _refuse_mistakes(name, origin)
                strangers.append(name)
        if strangers:
            _warn(f"kept, though not settings of liteq{origin}: {_listed(strangers)}")
        return values

    # for people

    def table(self, with_defaults: bool = False, censored: bool = True) -> dict[str, Any]:
        """The settings that were set, or all of them, as a dict; `censored`: without secrets."""
        shown = {n: v for n, v in self.items() if with_defaults or n in self._chosen}
        return {n: _censored(n, v) for n, v in shown.items()} if censored else shown

    def humanize(self, with_defaults: bool = False, censored: bool = True) -> str:
        """The settings as text, one a line."""
        rows = self.table(with_defaults, censored).items()
        return "\n".join(f"{name}: {value}" for name, value in rows)


def _default(name: str) -> Any:
    default = SETTINGS[name].default
    return dict(default) if isinstance(default, dict) else default


def _converted(name: str, value: Any, origin: str) -> Any:
    default, type, _ = SETTINGS[name]
    if value is None and default is None:
        return None
    try:
        return type.convert(value)
    except (TypeError, ValueError, LookupError, OSError):
        shown = repr_within_bounds(type.censor(value))
        raise ImproperlyConfigured(
            f"the setting {name!r}{origin} is {shown}, but must be {type.expected}"
        ) from None


def _refuse_mistakes(name: str, origin: str) -> None:
    if nearest := nearest_name(name):
        raise ImproperlyConfigured(
            f"there is no setting {name!r}{origin}; did you mean {nearest!r}?"
        )
    if hasattr(Config, name):
        raise ImproperlyConfigured(
            f"there is no setting {name!r}{origin}, and it cannot be one of your own: app.conf has"
            " a method of that name"
        )


def _censored(name: str, value: Any) -> Any:
    if name not in SETTINGS:
        return CENSORED  # whatever it is, it is not ours to show
    return value if value is None else SETTINGS[name].type.censor(value)


def _unknown(name: str) -> str:
    if name in MEANINGLESS:
        return f"the setting {name!r} is not set, and does nothing in liteq: {MEANINGLESS[name]}"
    nearest = nearest_name(name)
    return f"there is no setting {name!r}" + (f"; did you mean {nearest!r}?" if nearest else "")


def _listed(names: list[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def _warn(text: str) -> None:
    # Past this function, `_checked`, `_set` and the method that was called.
    warnings.warn(text, stacklevel=5)


_LISTED = 10  # names in a warning; a module with other things in it can have hundreds
