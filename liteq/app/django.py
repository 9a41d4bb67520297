"""Django projects: what an application does when DJANGO_SETTINGS_MODULE is set.

Django is set up before modules with tasks are imported, `autodiscover_tasks()` looks into the
installed apps, connections to the database are looked after, and tasks have `delay_on_commit`.
Nothing of Django is imported before that.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, Unpack

from ..sending.call_options import SendOptions
from ..signals import task_postrun, task_prerun
from ..support.warning import warn
from ..task import Task

P = ParamSpec("P")
R = TypeVar("R")

_VARIABLE = "DJANGO_SETTINGS_MODULE"


class DjangoTask(Task[P, R]):
    """A task that can be sent when the transaction of the database is committed."""

    def delay_on_commit(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call `delay` once the open transaction is committed; now, if there is none."""
        self.apply_async_on_commit(args, kwargs)

    def apply_async_on_commit(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[SendOptions],
    ) -> None:
        """Call `apply_async` once the open transaction is committed; now, if there is none."""
        from django.db import transaction

        transaction.on_commit(lambda: self.apply_async(args, kwargs, **options))


def is_used() -> bool:
    """Return whether this is a program of a Django project."""
    if not os.environ.get(_VARIABLE):
        return False
    from importlib.util import find_spec

    if "django" in sys.modules or find_spec("django") is not None:
        return True
    warn(f"{_VARIABLE} is set, but Django is not installed here")
    return False


def set_up() -> None:
    """Set Django up, if this is a program of a Django project; later calls do nothing."""
    if not is_used():
        return
    import django
    from django.apps import apps

    if not apps.ready and not apps.loading:  # loading: an app's own code has called us
        django.setup()
    task_prerun.connect(_clean_up, weak=False, dispatch_uid=_VARIABLE)
    task_postrun.connect(_clean_up, weak=False, dispatch_uid=_VARIABLE)


def installed_packages() -> list[str]:
    """Return the names of the installed apps' packages; none outside of Django projects."""
    if not is_used():
        return []
    from django.apps import apps

    return [config.name for config in apps.get_app_configs()]


def close_connections() -> None:
    """Close the connections of this process: children that are forked from it must not have them.

    Does nothing in a program that does not use Django.
    """
    if "django.db" in sys.modules and is_used():
        from django.db import connections

        connections.close_all()


def _clean_up(task: Any, **_: object) -> None:
    """Close connections that are broken or too old, as Django does around each request."""
    if task.request.is_eager:  # the connections are the caller's, as may be a transaction
        return
    from django.core.cache import close_caches
    from django.db import close_old_connections

    close_old_connections()
    close_caches()
