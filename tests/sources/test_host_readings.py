import pytest

from tickboard.sources.host.readings import MAX_LABEL, SLOW_S, Held, Readings, safe_label


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("eth0", "eth0"),
        ("/srv/Müller & Söhne", "/srv/Müller & Söhne"),
        ("C:\\", "C:\\"),
        ("a\nb\tc\x00d\x1b[31m", "a\ufffdb\ufffdc\ufffdd\ufffd[31m"),
        ("\udcff\ud800", "\ufffd\ufffd"),
        ("right\u202eleft", "right\ufffdleft"),
        ('say "hi"', "say 'hi'"),
        ("x" * 64, "x" * 64),
        ("x" * 4096, "x" * 63 + "…"),
        ("  ", "?"),
        ("", "?"),
    ],
)
def test_a_name_that_anyone_chose_becomes_a_harmless_label(name: str, label: str) -> None:
    found = safe_label(name)
    assert found == label
    assert len(found.encode()) <= 4 * MAX_LABEL


class Source:
    """Reads a number that goes up, or fails."""

    def __init__(self) -> None:
        self.count = 0
        self.fails = False

    def __call__(self, now: float) -> Readings:
        if self.fails:
            raise OSError("broken")
        self.count += 1
        return {("count", ""): self.count}


def test_a_held_reading_is_read_again_when_its_time_has_come_even_if_the_tick_is_early() -> None:
    source = Source()
    held = Held(source)
    for now, count in [(0, 1), (1, 1), (9, 1), (SLOW_S - 0.1, 2), (SLOW_S + 1, 2)]:
        assert held(now) == {("count", ""): count}


def test_a_held_reading_that_failed_is_tried_again_at_once() -> None:
    source = Source()
    held = Held(source)
    held(0)
    source.fails = True
    for now in (10, 11):
        with pytest.raises(OSError, match="broken"):
            held(now)
    source.fails = False
    assert held(12) == {("count", ""): 2}
