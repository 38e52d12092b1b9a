"""Every text can be sent."""

import pytest

from tickboard.text import encodable


@pytest.mark.parametrize(
    ("text", "sent"), [("", ""), ("é ✓ 🎈", "é ✓ 🎈"), ("log-\udcff.txt", "log-?.txt"), ("\ud83d\ude00", "??")]
)
def test_a_lone_surrogate_becomes_a_question_mark(text: str, sent: str) -> None:
    assert encodable(text) == sent
