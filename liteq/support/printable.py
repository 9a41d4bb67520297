"""Texts for people: untrusted ones made safe for a log or a terminal, last lines, and numbers."""


def one_line(text: str) -> str:
    """Return `text` on one line, with unprintable characters escaped: see `escaped`."""
    return escaped(text)


def escaped(text: str, but: str = "") -> str:
    """Return `text` with unprintable characters escaped, except those in `but`.

    These are control characters, and also invisible ones that change the direction of the text or
    cannot be encoded.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in but else _code(c) for c in text)


def indented(text: str) -> str:
    """Return `text` with safe lines, indented to tell them from the log's own lines."""
    return "\n".join(f"    {one_line(line)}" for line in text.rstrip("\n").split("\n"))


def last_line(text: str | None) -> str:
    """Return the last line of `text`: of a traceback, the error. Empty for None."""
    return (text or "").rstrip().rpartition("\n")[2]


def counted(number: int, noun: str) -> str:
    """Return `number` and the noun, in the plural unless it is 1: "1 task", "2 tasks"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _code(character: str) -> str:
    return character.encode("unicode_escape").decode()
