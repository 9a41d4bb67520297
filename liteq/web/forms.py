"""Read what a form has posted."""

from urllib.parse import parse_qs

LONGEST = 4 * 2**20
"""Limit the bytes of a form: what is longer is not read."""


def form_of(body: bytes) -> dict[str, list[str]]:
    """Return what a form has posted; nothing of a body that is no form."""
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=10_000)
    except ValueError:
        return {}
