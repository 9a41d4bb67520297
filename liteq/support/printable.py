"""Untrusted text, made safe for a log or a terminal."""


def one_line(text: str) -> str:
    """Return `text` on one line, with unprintable characters escaped.

    These are control characters, and also invisible ones that change the direction of the text or
    cannot be encoded.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _code(c) for c in text)


def indented(text: str) -> str:
    """Return `text` with safe lines, indented to tell them from the log's own lines."""
    return "\n".join(f"    {one_line(line)}" for line in text.rstrip("\n").split("\n"))


def _code(character: str) -> str:
    return character.encode("unicode_escape").decode()
