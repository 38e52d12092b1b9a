"""Every log message is written, whatever text it contains."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tickboard.output.logs import log, tidy


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Path]:
    """A file that an application logs to, as UTF-8."""
    path = tmp_path / "application.log"
    handler = logging.FileHandler(path, encoding="utf-8")
    log.addHandler(handler)
    yield path
    log.removeHandler(handler)
    handler.close()


def test_an_exception_whose_text_is_not_utf_8_is_written(written: Path) -> None:
    try:
        raise OSError("no such file: caf\udce9")
    except OSError:
        log.exception("it failed")
    lines = written.read_text("utf-8").splitlines()
    assert lines[0] == "it failed"
    assert lines[-1] == r"  OSError: no such file: caf\udce9"


def test_a_message_whose_text_is_not_utf_8_is_written(written: Path) -> None:
    log.warning("cannot read %s", "caf\udce9")
    assert written.read_text("utf-8") == "cannot read caf\\udce9\n"


def test_text_in_a_record_cannot_forge_another_record(written: Path) -> None:
    forged = "\n2026-01-01 ERROR forged\x1b[2J"
    try:
        raise OSError(forged) from ValueError(forged)
    except OSError:
        log.exception("it failed: %s", forged)
    lines = written.read_text("utf-8").splitlines()
    assert lines[0] == "it failed: "
    assert len(lines) > 10
    assert all(line.startswith("  ") for line in lines[1:])
    assert r"  2026-01-01 ERROR forged\x1b[2J" in lines


def test_two_handlers_write_the_same(written: Path, tmp_path: Path) -> None:
    second = logging.FileHandler(tmp_path / "second.log", encoding="utf-8")
    second.addFilter(tidy)
    log.addHandler(second)
    try:
        log.error("a\nb", exc_info=ValueError("c\nd"))
    finally:
        log.removeHandler(second)
        second.close()
    assert (tmp_path / "second.log").read_text() == written.read_text() == "a\n  b\n  ValueError: c\n  d\n"


def test_a_record_with_printable_text_is_left_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise OSError("no such file: café")
    except OSError:
        log.exception("%s failed", "it")
    [record] = caplog.records
    assert (record.msg, record.args, record.exc_info is not None) == ("%s failed", ("it",), True)
    assert "café" in (record.exc_text or "")


def test_arguments_that_do_not_fit_the_message_are_reported_by_the_handlers() -> None:
    with pytest.raises(TypeError):  # by pytest's own handler
        log.warning("%d samples", "three")


def test_text_in_a_logged_stack_cannot_forge_another_record(written: Path) -> None:
    record = log.makeRecord(log.name, logging.WARNING, "f", 1, "here", (), None, sinfo="Stack:\nforged\x1b[2J")
    log.handle(record)
    assert written.read_text("utf-8") == "here\n  Stack:\n  forged\\x1b[2J\n"
