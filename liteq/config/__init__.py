"""The configuration of an application, `app.conf`.

`settings` is the table of all settings, `types` has the checks of their values, `celery` the names
that Celery gave them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from ..exceptions import ImproperlyConfigured
from ..support.nearest import suggestion
from ..support.warning import warn
from .celery import MEANINGLESS, current_name, nearest_name
from .settings import SETTINGS, Setting, Settings
from .sources import Source
from .types import CENSORED, converted

__all__ = ["MEANINGLESS", "SETTINGS", "Config", "Setting"]


class Config(Settings, MutableMapping[str, Any]):
    """Settings by attribute and by item, each checked when it is set.

    Celery's old upper-case names mean the settings they were renamed to. A name that looks
    misspelt, and a value that is not allowed, raise ImproperlyConfigured. A setting of Celery that
    means nothing here, and an unknown name, are kept with a warning.

    Values are read when they are used, so they may be changed at any time; so may the objects that
    they were loaded from.
    """

    # The settings themselves are the instance's `__dict__`, so reading one costs nothing extra.
    __slots__ = ("_chosen", "_fixed", "_from_sources", "_on_source", "_outranked", "_sources")
    _chosen: set[str]  # names that were set, as opposed to defaults
    _fixed: dict[str, str]  # why a setting cannot be changed any more
    _from_sources: set[str]  # names whose values are those of the sources
    _on_source: Callable[[], None]  # called when there is another source
    _outranked: dict[str, tuple[Any, str]]  # the value that counts instead, and why
    _sources: list[Source]

    def __init__(self, on_source: Callable[[], None] = lambda: None) -> None:
        for name, value in (
            ("_chosen", set()),
            ("_fixed", {}),
            ("_from_sources", set()),
            ("_on_source", on_source),
            ("_outranked", {}),
            ("_sources", []),
        ):
            object.__setattr__(self, name, value)
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
        if name in SETTINGS:
            self._refuse_fixed({name: _default(name)})
        del self.__dict__[name]
        self._chosen.discard(name)
        self._from_sources.discard(name)
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
        What changes in it later counts as well, unless the setting itself was set in between.
        Raises ImproperlyConfigured for a failed import, a wrong value, or a misspelt name.
        """
        new = Source(source, namespace)
        origin, pairs = new.read()
        self._from_sources.update(self._set(pairs, origin))
        self._sources.append(new)
        self._on_source()

    load_object = from_object

    def outdated(self) -> bool:
        """Return whether a source has changed since it was loaded."""
        for source in self._sources:  # noqa: SIM110 - asked for each task that is sent
            if source.changed():
                return True
        return False

    def reload(self) -> None:
        """Load the settings again from all sources; those that were set otherwise stay.

        Raises ImproperlyConfigured as `from_object` does, and for a setting that is fixed.
        """
        try:
            self._read_again()
        except BaseException:
            for source in self._sources:
                source.forget()  # so that the error is raised until it is corrected
            raise

    def _read_again(self) -> None:
        values: dict[str, Any] = {}
        for source in self._sources:
            origin, pairs = source.read()
            values |= self._checked(pairs, origin)
        mine = self._chosen - self._from_sources  # set by the program itself
        values = {name: value for name, value in values.items() if name not in mine}
        gone = self._from_sources - values.keys()
        self._refuse_fixed(values | {name: _default(name) for name in gone & SETTINGS.keys()})
        for name in gone:
            del self[name]
        self.__dict__.update(values)
        self._chosen.update(values)
        object.__setattr__(self, "_from_sources", set(values))

    def fix(self, names: Iterable[str], reason: str) -> None:
        """Refuse to change the settings `names` from now on, because of `reason`."""
        self._fixed.update(dict.fromkeys(names, reason))

    def outrank(self, name: str, value: Any, reason: str) -> None:
        """Ignore the setting `name` from now on, because of `reason`, with a warning for each value
        but `value`, which counts instead."""
        self._outranked[name] = value, reason

    def outranked(self, name: str, value: Any) -> str | None:
        """Return why `value` does nothing as the setting `name`; None if it counts."""
        if name not in self._outranked or value in (None, self._outranked[name][0]):
            return None
        return self._outranked[name][1]

    def _refuse_fixed(self, values: Mapping[str, Any]) -> None:
        for name in self._fixed.keys() & values.keys():
            if values[name] != self.__dict__[name]:
                raise ImproperlyConfigured(
                    f"the setting {name!r} cannot be changed any more: {self._fixed[name]}"
                )

    def add_defaults(self, defaults: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> None:
        """Replace liteq's defaults; a setting that was set, or is set later, keeps its value."""
        mapping = defaults() if callable(defaults) else defaults
        values = self._checked(mapping.items(), "")
        self.__dict__.update({n: v for n, v in values.items() if n not in self._chosen})

    def _set(self, pairs: Iterable[tuple[str, Any]], origin: str = "") -> Iterable[str]:
        """Set all of `pairs`, or none; return the names under which they are kept."""
        values = self._checked(pairs, origin)
        self._refuse_fixed(values)
        self.__dict__.update(values)
        self._chosen.update(values)
        self._from_sources.difference_update(values)
        return values

    def _checked(self, pairs: Iterable[tuple[str, Any]], origin: str) -> dict[str, Any]:
        """Return the settings by their present names, converted; warn of those without effect."""
        values = {}
        unknown = []
        for name, value in pairs:
            known = current_name(name)
            if known in self._outranked:
                if why := self.outranked(known, value):
                    warn(f"the setting {name!r}{origin} does nothing: {why}")
                continue
            if known in SETTINGS:
                values[known] = _converted(known, value, origin)
                continue
            values[known or name] = value
            if (known or name) in self.__dict__:
                continue  # it was warned of when it was first set
            if known:
                warn(f"the setting {name!r}{origin} does nothing in liteq: {MEANINGLESS[known]}")
            else:
                _raise_if_mistaken(name, origin)
                unknown.append(name)
        if unknown:
            warn(f"kept, though not settings of liteq{origin}: {_listed(unknown)}")
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
    return converted(f"the setting {name!r}{origin}", value, type)


def _raise_if_mistaken(name: str, origin: str) -> None:
    if nearest := nearest_name(name):
        raise ImproperlyConfigured(f"there is no setting {name!r}{origin}{suggestion(nearest)}")
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
    return f"there is no setting {name!r}{suggestion(nearest_name(name))}"


def _listed(names: list[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


_LISTED = 10  # names in a warning; a module that is not only settings can have hundreds
