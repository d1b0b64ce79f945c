"""Text of others as it may be shown on a terminal: no control codes, one line, not without end."""

LONGEST = 1000
"""Characters of a sentence; names and values of others stand in it."""


def visible(text: str, longest: int = LONGEST) -> str:
    """Return text with every character that does not print as its escape: `\\x1b[31m`.

    A terminal obeys escape sequences, and a newline in a name would make two lines of a sentence.
    """
    shown = "".join(one if one.isprintable() else escaped(one) for one in text)
    return shown if len(shown) <= longest else f"{shown[: longest - 3]}..."


def escaped(character: str) -> str:
    """Return the escape of a character."""
    return character.encode("unicode_escape").decode("ascii")
