"""Passwords: hashed with argon2id, compared in any form of Unicode, and refused if they are easy to guess."""

import pytest

from tickboard.access.passwords import check_password, hashed, matches, password_in
from tickboard.errors import InputError

GOOD = "correct horse battery"


def test_a_password_matches_its_hash_alone() -> None:
    known = hashed(GOOD)
    assert known.startswith("$argon2id$")
    assert GOOD not in known
    assert known != hashed(GOOD)
    assert matches(GOOD, known)
    assert not matches(GOOD + " ", known)
    assert not matches("", known)


@pytest.mark.parametrize("known", [None, "", "junk", "$argon2id$v=19$junk"])
def test_without_a_hash_no_password_matches(known: str | None) -> None:
    assert not matches(GOOD, known)
    assert not matches("nobody has this password", known)


@pytest.mark.parametrize("line", [b"zw\xc3\xb6lf\n", b"\xef\xbb\xbfzw\xc3\xb6lf\r\n"])
def test_a_line_is_utf_8_with_or_without_a_mark_of_that(line: bytes) -> None:
    assert password_in(line, "the file") == "zw\u00f6lf"


@pytest.mark.parametrize(
    ("line", "why"), [(b"zw\xf6lf", "not text in UTF-8"), (b"\n", "no password"), (b"", "no password")]
)
def test_a_line_without_a_password_is_refused(line: bytes, why: str) -> None:
    with pytest.raises(InputError, match=f"the file.*{why}"):
        password_in(line, "the file")


def test_a_letter_may_be_written_in_two_ways() -> None:
    assert matches("zwo\u0308lf Zeichen!", hashed("zw\u00f6lf Zeichen!"))


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "0 characters"),
        ("elevenchars", "11 characters: use 12 or more"),
        ("x" * 1_025, "use 1024 at most"),
        ("aaaaaaaaaaaaaa", "too easy"),
        ("christopher.robin", "too easy"),
        ("correct horse \udcff", "not text in UTF-8"),
    ],
)
def test_a_bad_password_is_refused(password: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        check_password(password, "Christopher.Robin")


def test_a_good_one_is_not() -> None:
    check_password(GOOD, "ann")
    check_password("twelve chars", "ann")
