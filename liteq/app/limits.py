"""The limits of an application's tasks: `app.limits`."""

from typing import Any

from ..exceptions import ImproperlyConfigured, InvalidTaskError
from ..model.keytemplate import check_key, parse
from ..model.limit import LimitRule, LimitState, checked_rule, default_burst, parse_rate
from ..result.app import App
from ..sending.limits import DeclaredLimits, limits_of_task

Found = list[LimitState]  # in the class below, `list` is its method

_AS_IT_IS: Any = object()
_LONGEST = 366 * 86400.0  # seconds for which a limit is held


class Limits:
    """The limits in the store of `app`: all its applications, workers and hosts share them.

    A limit is named by its key, `"openai"` or `"acct:7"`, or by the key as the code has it,
    `"acct:{account}"`, which means all keys that are made by it.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._declared = DeclaredLimits()

    def list(self) -> Found:
        """Return the limits that tasks are under, or that were set or held, by their keys."""
        return self._app.broker.limits()

    def get(self, key: str) -> LimitState | None:
        """Return one of them; None if the store does not have it."""
        return self._stored(_name_of(key))

    def set(
        self,
        key: str,
        *,
        rate: str | float | None = _AS_IT_IS,
        burst: int | None = _AS_IT_IS,
        running: int | None = _AS_IT_IS,
    ) -> LimitRule:
        """Set numbers of a limit, whatever the code says, until `reset`; return all that it has.

        What is not given stays as it is; None is any number. It holds at once, for the tasks that
        wait as well, but does not end what runs. Raises InvalidTaskError for wrong numbers.
        """
        what, name = f"the limit {key!r}", _name_of(key)
        rule = self._rule(name)
        if rate is not _AS_IT_IS:
            if burst is _AS_IT_IS and (rate is None or rule.burst == default_burst(rule.rate)):
                rule = rule._replace(burst=None)
            rule = rule._replace(rate=None if rate is None else parse_rate(rate, what))
        if burst is not _AS_IT_IS:
            rule = rule._replace(burst=burst)
        if running is not _AS_IT_IS:
            rule = rule._replace(running=running)
        rule = checked_rule(rule, what)
        self._app.broker.set_limit(name, rule, fixed=True)
        return rule

    def reset(self, key: str) -> None:
        """Let a limit be what the code says, once more.

        That is the code of this program; if it does not have it, that of the next task.
        """
        name = _name_of(key)
        rule = self._of_code(name, self._stored(name)) or self._rule(name)
        self._app.broker.set_limit(name, rule, fixed=False)

    def hold(self, key: str, seconds: float) -> None:
        """Let no task pass a limit for so many seconds; 0 ends that.

        It is for a service that answers 429. Tasks that run go on. Raises InvalidTaskError for a
        key that stands for many, and for a number that is none.
        """
        template = parse(key)
        if template.names:
            raise InvalidTaskError(
                f"{key!r} stands for many limits: hold one of them, such as "
                f"{template.shape.format(*range(7, 7 + len(template.names)))!r}"
            )
        if not 0 <= seconds <= _LONGEST:
            raise InvalidTaskError(
                f"the limit {key!r} cannot be held for {seconds!r:.100} seconds: give a number "
                f"from 0 to {_LONGEST:.0f}"
            )
        until = self._app.broker.clock() + seconds if seconds else None
        self._app.broker.hold_limit(template.shape, until)

    def rate_limit(self, task: str, rate: str | float | None) -> None:
        """Set how many tasks of a name start in a time, which has a `rate_limit` in its code.

        `rate`: as there; None or 0 ends what was set before. Raises InvalidTaskError for a wrong
        one, and for a task of this program that has no `rate_limit`, as those that were sent do
        not wait for one.
        """
        known = self._app.tasks.get(task)
        if known is not None and not known.rate_limit:
            raise InvalidTaskError(
                f"task {task} has no rate_limit in its code, so that none of its tasks waits for "
                f"one: give it one, such as @app.task(rate_limit='1000/s'), and change it then"
            )
        key = task.replace("{", "{{").replace("}", "}}")
        if rate:
            self.set(key, rate=rate)
        else:
            self.reset(key)

    def declare(self, task: Any) -> None:
        """Note the limits that the code of a task declares.

        Raises ImproperlyConfigured for wrong ones, and for one that other tasks have with other
        numbers.
        """
        try:
            found = limits_of_task(task)
            self._declared.declare(task.name, () if found is None else found.limits)
        except InvalidTaskError as exc:
            raise ImproperlyConfigured(str(exc)) from None

    def _stored(self, name: str) -> LimitState | None:
        return next((each for each in self.list() if each.key == name), None)

    def _rule(self, name: str) -> LimitRule:
        """Return the numbers of a limit as they are."""
        stored = self._stored(name)
        if stored is not None and (stored.fixed or stored.rule != LimitRule()):
            return stored.rule
        return self._of_code(name, stored) or LimitRule()

    def _of_code(self, name: str, stored: LimitState | None) -> LimitRule | None:
        self._app.tasks  # noqa: B018 - all are declared by then
        declared = self._declared.get(name if stored is None else stored.name)
        return None if declared is None else declared.rule


def _name_of(key: Any) -> str:
    """Return the key that the store has of `key`. Raises InvalidTaskError for one that is none."""
    if isinstance(key, str) and "{}" in key:  # of all keys, as they are listed
        return check_key(key)
    return parse(key).shape
