"""The configuration of an application, `app.conf`.

`settings` is the table of all settings, `types` has the checks of their values, `celery` the names
that Celery gave them.
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
    misspelt, and a value that is not allowed, raise ImproperlyConfigured. A setting of Celery that
    means nothing here, and an unknown name, are kept with a warning.

    Values are read when they are used, so they may be changed at any time.
    """

    # The settings themselves are the instance's `__dict__`, so reading one costs nothing extra.
    __slots__ = ("_chosen",)
    _chosen: set[str]  # names that were set, as opposed to defaults

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
        """Reset a setting to its default; drop a name that is not a setting."""
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

    def __getattr__(self, name: str) -> Any:  # called only for names that `__dict__` lacks
        try:
            return self[name]
        except KeyError:
            raise AttributeError(_no_setting(name), name=name, obj=self) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._set([(name, value)])

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(_no_setting(name), name=name, obj=self) from None

    def __repr__(self) -> str:
        return f"<Config: {self.humanize()}>"

    # loading

    def from_object(self, source: Any, namespace: str | None = None) -> None:
        """Load the settings of a module, a class, an object or a mapping: all of them, or none.

        `source` may also be the dotted name of one, such as "proj.celeryconfig". From anything but
        a mapping, lower-case names are taken if they are settings, upper-case names always.
        `namespace="CELERY"`: only names with the prefix `CELERY_` are taken, without the prefix.
        Raises ImproperlyConfigured for a failed import, a wrong value, or a misspelt name.
        """
        origin, pairs = pairs_of(source, namespace)
        self._set(pairs, origin)

    load_object = from_object

    def add_defaults(self, defaults: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> None:
        """Replace liteq's defaults; a setting that was set, or is set later, keeps its value."""
        mapping = defaults() if callable(defaults) else defaults
        values = self._checked(mapping.items(), "")
        self.__dict__.update({n: v for n, v in values.items() if n not in self._chosen})

    def _set(self, pairs: Iterable[tuple[str, Any]], origin: str = "") -> None:
        values = self._checked(pairs, origin)
        self.__dict__.update(values)
        self._chosen.update(values)

    def _checked(self, pairs: Iterable[tuple[str, Any]], origin: str) -> dict[str, Any]:
        """Return the settings by their present names, converted; warn of those without effect."""
        values = {}
        unknown = []
        for name, value in pairs:
            known = current_name(name)
            if known in SETTINGS:
                values[known] = _converted(known, value, origin)
                continue
            values[known or name] = value
            if (known or name) in self.__dict__:
                continue  # it was warned of when it was first set
            if known:
                _warn(f"the setting {name!r}{origin} does nothing in liteq: {MEANINGLESS[known]}")
            else:
                _raise_if_mistaken(name, origin)
                unknown.append(name)
        if unknown:
            _warn(f"kept, though not settings of liteq{origin}: {_listed(unknown)}")
        return values

    # display

    def table(self, with_defaults: bool = False, censored: bool = True) -> dict[str, Any]:
        """Return the settings that were set as a dict.

        `with_defaults`: all settings. `censored`: secrets are masked.
        """
        shown = {n: v for n, v in self.items() if with_defaults or n in self._chosen}
        return {n: _censored(n, v) for n, v in shown.items()} if censored else shown

    def humanize(self, with_defaults: bool = False, censored: bool = True) -> str:
        """Return the settings as text, one per line; the options are those of `table`."""
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


def _raise_if_mistaken(name: str, origin: str) -> None:
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
        return CENSORED  # not a setting of liteq, so it may be a secret
    return value if value is None else SETTINGS[name].type.censor(value)


def _no_setting(name: str) -> str:
    if name in MEANINGLESS:
        return f"the setting {name!r} is not set, and does nothing in liteq: {MEANINGLESS[name]}"
    nearest = nearest_name(name)
    return f"there is no setting {name!r}" + (f"; did you mean {nearest!r}?" if nearest else "")


def _listed(names: list[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def _warn(text: str) -> None:
    # Skips this function, `_checked`, `_set` and the method that the program called.
    warnings.warn(text, stacklevel=5)


_LISTED = 10  # names in a warning; a module that is not only settings can have hundreds
