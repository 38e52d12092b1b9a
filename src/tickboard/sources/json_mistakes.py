"""Explains invalid JSON to the author of the program that sent it.

The decoder reports the byte at which it stopped. The text there is usually one of a few things that other languages
have and JSON lacks. These are named, with what to send instead.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

_BYTE = re.compile(r" \(byte (\d+)\)")
_NO_NUMBER = re.compile(rb"(?<!\w)[+-]?(?:nan|inf(?:inity)?)(?!\w)", re.IGNORECASE)
_WORD = re.compile(rb"(?:True|False|None|undefined)(?!\w)")
_WORDS: Mapping[bytes, str] = MappingProxyType(
    {b"True": "true", b"False": "false", b"None": "null", b"undefined": "null"}
)
_SHOWN_BYTES = 30


def explain_mistake(error: Exception, text: bytes) -> str:
    """Return what is wrong, where it is, and what to send instead.

    Args:
        error: the exception of msgspec.
        text: the text that it could not decode.
    """
    message = str(error)
    if isinstance(error, RecursionError):
        return f"{message}: the JSON is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"the text is not UTF-8: {message}"
    if not text.strip():
        return f"{message}: the text is empty"
    found = _BYTE.search(message)
    if found is None:
        return message
    # Of trailing characters, the decoder has read the first byte.
    at = int(found[1]) - ("trailing characters" in message)
    around = text[max(0, at - _SHOWN_BYTES) : at + _SHOWN_BYTES].decode("utf-8", "replace")
    return f"{_mistake(message[: found.start()], text, at)} (byte {at}), in {around!r}"


def _mistake(message: str, text: bytes, at: int) -> str:
    # The decoder stops after a sign, and after four letters of a word that begins like null.
    for begin in (at - 1, at, at - 4):
        if begin >= 0 and (number := _NO_NUMBER.match(text, begin)):
            return f"{number[0].decode()} is not JSON: send null where there is no value"
    if word := _WORD.match(text, at):
        return f"{word[0].decode()} is not JSON: send {_WORDS[word[0]]}"
    if text[at : at + 1] == b"'":
        return "a string in single quotes is not JSON: use double quotes"
    if "keys must be strings" in message:
        return "a name without quotes is not JSON: put it in double quotes"
    if "trailing comma" in message:
        return f"{message}: leave the comma out"
    if text[at : at + 1] in {b"/", b"#"}:
        return "a comment is not JSON: leave it out"
    return message
