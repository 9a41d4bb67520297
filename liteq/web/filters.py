"""The filters of the screen of jobs: in its address, and in the text of its search."""

from collections.abc import Callable

from ..app.jobs import Filters

FIELDS = ("state", "queue", "task", "worker", "text")
"""List what jobs can be looked for by: the names of the parameters in the address."""


def filters_of(asked: Callable[[str], str]) -> Filters:
    """Return the filters that an address or a form asks for. `asked` returns what it says.

    The text of the search may name fields, as `queue:mail` does; what is left of it is looked for
    in ids, names, arguments and tracebacks. `header:customer=17` is for a header.
    """
    found: dict[str, object] = {name: asked(name) for name in FIELDS if asked(name)}
    words = []
    for word in asked("q").split():
        name, given, value = word.partition(":")
        if given and value and name in FIELDS:
            found[name] = value
        elif given and name == "header" and "=" in value:
            key, _, wanted = value.partition("=")
            found["header"] = {key: wanted}
        else:
            words.append(word)
    if words:
        found["text"] = " ".join(words)
    if "state" in found:
        found["state"] = str(found["state"]).split(",")
    filters: Filters = found  # type: ignore[assignment]
    return filters
