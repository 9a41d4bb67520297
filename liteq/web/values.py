"""Hold what a dashboard is asked and answers, whatever server carries it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

Access = Literal["all", "read"]
"""Say what a visitor may do: everything, or look."""


class Request(NamedTuple):
    """A request of HTTP, as far as the dashboard reads it."""

    method: str
    path: str  # below the dashboard's own, from the slash on
    query: Mapping[str, str]
    headers: Mapping[str, str]  # by their names in lower case
    form: Mapping[str, Sequence[str]]  # what was posted
    mount: str  # what stands before `path` in links; no slash at its end
    secure: bool  # it came by https
    client: str  # the address that it came from, for the log

    @property
    def cookies(self) -> dict[str, str]:
        """Return the cookies that came along."""
        pairs = (part.strip().partition("=") for part in self.headers.get("cookie", "").split(";"))
        return {name: value for name, _, value in pairs if name}

    def posted(self, name: str) -> str:
        """Return the last value that was posted as `name`; empty if there is none."""
        return (self.form.get(name) or [""])[-1]


class Response(NamedTuple):
    """An answer of HTTP. A body that is an iterator is sent piece by piece, as it comes."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | Iterator[bytes]

    def having(self, *headers: tuple[str, str]) -> "Response":
        """Return it with more headers."""
        return self._replace(headers=(*self.headers, *headers))


class Refused(Exception):
    """A request that is not done, with the status and the words for the visitor."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


def html_response(text: str, status: int = 200) -> Response:
    """Return a page."""
    return Response(status, (("Content-Type", "text/html; charset=utf-8"),), text.encode())


def text_response(text: str, status: int = 200, kind: str = "text/plain") -> Response:
    """Return a text of another kind."""
    return Response(status, (("Content-Type", f"{kind}; charset=utf-8"),), text.encode())


def redirect(to: str) -> Response:
    """Return what sends the visitor to the page `to`, which is asked for by GET."""
    return Response(303, (("Location", to), ("Content-Type", "text/plain")), b"")
