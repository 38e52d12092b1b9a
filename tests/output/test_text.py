"""Every text can be encoded, and control characters are escaped."""

import pytest

from tickboard.output.text import encodable, escaped, escaped_lines, one_line, without_mark


@pytest.mark.parametrize(
    ("text", "sent"), [("", ""), ("é ✓ 🎈", "é ✓ 🎈"), ("log-\udcff.txt", "log-?.txt"), ("\ud83d\ude00", "??")]
)
def test_a_lone_surrogate_becomes_a_question_mark(text: str, sent: str) -> None:
    assert encodable(text) == sent


CONTROLS = [
    *range(32),
    *range(127, 160),
    0x2028,
    0x2029,
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    0xD800,
    0xDFFF,
]


@pytest.mark.parametrize("code", CONTROLS)
def test_control_characters_are_escaped_as_in_python(code: int) -> None:
    assert escaped(f"a{chr(code)}b") == f"a{ascii(chr(code))[1:-1]}b"
    assert one_line(f"a{chr(code)}b", 20) in {f"a{ascii(chr(code))[1:-1]}b", "a b"}
    assert escaped_lines(f"a{chr(code)}b") in {f"a{ascii(chr(code))[1:-1]}b", "a\tb", "a\n  b"}


@pytest.mark.parametrize("text", ["", "é ✓ 🎈 👩‍👩‍👧", "שלום \u200f!", "C:\\new", "100 %"])
def test_other_texts_are_unchanged(text: str) -> None:
    assert escaped(text) == escaped_lines(text) == one_line(text, 100) == text


def test_lines_after_the_first_are_indented() -> None:
    assert escaped_lines("a\n2026 ERROR b\n\tc") == "a\n  2026 ERROR b\n  \tc"


def test_one_byte_order_mark_is_dropped_and_only_at_the_start() -> None:
    assert without_mark(b"\xef\xbb\xbfa\xef\xbb\xbf") == b"a\xef\xbb\xbf"
    assert without_mark(b"\xef\xbb\xbf\xef\xbb\xbf") == b"\xef\xbb\xbf"
    assert without_mark(b"\xef\xbb") == b"\xef\xbb"
    assert without_mark(b"") == b""
