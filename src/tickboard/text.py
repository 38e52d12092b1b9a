"""Texts that come from anywhere, as the wire can have them.

Python gives a name that is not UTF-8, as of a file, with lone surrogates: it is a text, and no encoder takes it.
"""


def encodable(text: str) -> str:
    """Return a text as UTF-8 can have it: with a question mark for each lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text
