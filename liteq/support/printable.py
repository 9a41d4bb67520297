"""Text of other people's, made harmless for a log or a terminal."""


def one_line(text: str) -> str:
    """`text` on one line, in printable characters.

    Escaped are control characters, and also the invisible ones that turn the direction of a line
    or leave the encoding.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _code(c) for c in text)


def indented(text: str) -> str:
    """The lines of `text`, each harmless, and none at the left margin, where a log's own begin."""
    return "\n".join(f"    {one_line(line)}" for line in text.rstrip("\n").split("\n"))


def _code(character: str) -> str:
    return character.encode("unicode_escape").decode()
