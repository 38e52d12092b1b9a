"""A glob matches as in a shell, without backtracking. tests/metrics/test_selectors.py has more of them."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.expressions.globs import Glob, is_glob


@pytest.mark.parametrize(
    ("glob", "matched", "others"),
    [
        ("web-1", ["web-1"], ["web-11", "web", "WEB-1"]),
        ("web-*", ["web-", "web-1", "web-1.example.com"], ["web", "my-web-1"]),
        ("*-1", ["-1", "web-1"], ["web-11"]),
        ("*b*-*1*", ["web-1", "b-1"], ["web1-", "1-b", "eb-2"]),
        ("web-?", ["web-1"], ["web-", "web-12"]),
        ("web-[1-3x]", ["web-2", "web-x", "web-[1-3x]"], ["web-4", "web-"]),
        ("web-[!1-3]*", ["web-4", "web-44"], ["web-1", "web-"]),
        ("*[13]-*", ["a1-", "1-3-"], ["a2-", "13"]),
        ("a[z-a]", ["a[z-a]"], ["az", "a-"]),
        ("a[!z-a]", ["ab", "a!"], ["a"]),
        ("a[b", ["a[b"], ["ab"]),
        ("[]]", ["]"], ["[", "[]"]),
    ],
)
def test_a_glob_matches_as_in_a_shell(glob: str, matched: list[str], others: list[str]) -> None:
    assert [text for text in matched + others if Glob(glob).match(text)] == matched


@given(glob=st.text("ab*?[!-]", max_size=8), text=st.text("ab[!-", max_size=6))
def test_a_glob_matches_what_the_standard_library_matches_and_itself(glob: str, text: str) -> None:
    assert Glob(glob).match(text) == (glob == text or fnmatchcase(text, glob))


def test_text_without_wildcards_is_no_glob() -> None:
    assert [text for text in ("web-1", "web-*", "w?b", "[web", "web]", "") if is_glob(text)] == ["web-*", "w?b", "[web"]


def test_a_glob_is_read_once() -> None:
    glob = Glob("a*b")
    assert glob.read() is glob.read()
    assert glob.match("ab")
