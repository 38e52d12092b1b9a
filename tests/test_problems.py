"""A problem is shown until it is cleared, and logged once no matter how often it is reported."""

import asyncio
import logging
from collections.abc import Callable, Iterator

import pytest

from tickboard import problems as problems_module
from tickboard.loop.supervisor import Supervisor
from tickboard.problems import (
    LOG_BURST,
    MAX_DETAIL,
    MAX_MESSAGE,
    OTHER,
    QUIET_S,
    Problems,
    Quiet,
    described,
    last_place,
    numbered,
    own_place,
)
from tickboard.schedule import parse
from tickboard.wire import Problem


class Bench:
    """A list of problems with clocks that a test sets."""

    def __init__(self) -> None:
        self.changes: list[list[str]] = []
        self.now = 0.0
        self.problems = Problems(self._changed, lambda: self.now, lambda: self.now)

    def _changed(self) -> None:
        self.changes.append([problem.message for problem in self.problems.values()])


@pytest.fixture
def bench() -> Bench:
    return Bench()


def raised(function: Callable[[], object]) -> Exception:
    try:
        function()
    except Exception as error:  # noqa: BLE001  # any exception
        return error
    raise AssertionError("it raised nothing")


def test_a_problem_is_shown_until_it_is_cleared(bench: Bench) -> None:
    bench.problems.report("a", "wrong", metrics=["y", "x"], file="f.py", line=3, detail="more")
    assert bench.problems["a"] == Problem("a", "wrong", "1970-01-01T00:00:00.000Z", ["x", "y"], "f.py", 3, "more")
    assert bench.problems.stale == {"x", "y"}
    bench.problems.clear("a")
    bench.problems.clear("a")
    assert (len(bench.problems), bench.changes) == (0, [["wrong"], []])


def test_the_same_problem_changes_nothing_but_the_count(bench: Bench) -> None:
    for value in range(3):
        bench.problems.report("a", f"wrong: {value}", kind="wrong")
    assert bench.changes == [["wrong: 0"]]
    assert bench.problems.failures == {"a": 3}


def test_another_problem_of_the_same_source_has_its_own_start_time(bench: Bench) -> None:
    bench.problems.report("a", "wrong")
    bench.now = 60.0
    bench.problems.report("a", "worse")
    assert (bench.problems["a"].message, bench.problems["a"].since) == ("worse", "1970-01-01T00:00:00.000Z")


def test_stale_metrics_may_change_without_another_line_in_the_log(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.problems.report("a", "wrong", metrics=["x"])
    bench.problems.report("a", "wrong", metrics=["x", "y"])
    assert bench.problems["a"].metrics == ["x", "y"]
    assert caplog.messages == ["a: wrong"]


def test_the_log_has_the_start_and_the_end_of_a_problem(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    error = raised(lambda: 1 / 0)
    bench.problems.report("a", "wrong", error=error)
    bench.problems.clear("a")
    bench.problems.report("b", "untold", logged=False)
    bench.problems.clear("b")
    bench.problems.report("c", "odd")
    bench.problems.clear("c", "")
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "a: wrong"),
        (logging.WARNING, "a: works again"),
        (logging.WARNING, "c: odd"),
    ]


def test_an_intermittent_problem_is_logged_a_few_times_and_then_once_a_minute(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(120):
        bench.now += 0.5
        bench.problems.report("a", "wrong")
        bench.problems.clear("a")
    assert caplog.messages[:LOG_BURST] == ["a: wrong", "a: works again"] * (LOG_BURST // 2)
    assert len(caplog.messages) == LOG_BURST
    bench.now += 60
    bench.problems.report("a", "wrong")
    assert caplog.messages[LOG_BURST:] == ["a: wrong (236 more of its changes were not logged)"]
    # Another source has its own lines.
    bench.problems.report("b", "wrong")
    assert caplog.messages[-1] == "b: wrong"


def test_the_detail_and_the_location_come_from_the_error(bench: Bench) -> None:
    bench.problems.report("a", "wrong", error=raised(lambda: int("x")))
    problem = bench.problems["a"]
    assert problem.file == __file__
    assert "ValueError" in (problem.detail or "")
    bench.problems.report("b", "wrong", error=raised(lambda: int("x")), file="other.py", line=1)
    assert (bench.problems["b"].file, bench.problems["b"].line) == ("other.py", 1)
    bench.problems.report("c", "wrong", error=ValueError("never raised"))
    assert bench.problems["c"].file is None


def test_the_location_is_found_in_the_cause_of_an_exception(bench: Bench) -> None:
    def wraps() -> None:
        try:
            int("x")
        except ValueError as error:
            wrapped = RuntimeError("wrapped")
            wrapped.__cause__ = error
            bench.problems.report("a", "wrong", error=wrapped)

    wraps()
    assert bench.problems["a"].file == __file__


def test_locations_and_descriptions_of_errors() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert own_place(ValueError()) is None
    assert last_place(ValueError()) is None
    place = last_place(raised(lambda: int("x")))
    assert place is not None
    assert place[0] == __file__
    # The place where the user's code calls ours.
    place = own_place(raised(lambda: parse("nonsense")))
    assert place is not None
    assert place[0] == __file__
    assert described(KeyError("x")) == "KeyError: 'x'"
    assert described(MuteError()) == "MuteError"
    assert described(OSError("no such file: \udcff")) == r"OSError: no such file: \udcff"


def test_sources_beyond_a_limit_are_counted_together(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems_module, "MAX_SOURCES", 2)
    for source in ("a", "b", "c", "d", "a"):
        bench.problems.report(source, "wrong")
    assert bench.problems.failures == {"a": 2, "b": 1, OTHER: 2}
    assert list(bench.problems) == ["a", "b", "c", "d"]


def test_problems_are_kept_and_it_is_logged_if_they_cannot_be_sent(caplog: pytest.LogCaptureFixture) -> None:
    def deaf() -> None:
        raise RuntimeError("deaf")

    problems = Problems(deaf)
    problems.report("a", "wrong")
    assert problems["a"].message == "wrong"
    assert caplog.messages[-1] == "the viewers cannot be sent the list of problems"


def test_a_closed_scope_clears_its_own_problems_and_reports_no_more(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.problems.report("other", "wrong")
    scope = bench.problems.scope()
    scope.report("a", "wrong")
    scope.report("b", "wrong")
    scope.clear("other")
    scope.clear("a")
    scope.close()
    scope.report("c", "late")
    assert list(bench.problems) == ["other"]
    assert caplog.messages == ["other: wrong", "a: wrong", "b: wrong", "a: works again"]


def test_a_quiet_period_ends_once_nothing_has_failed_for_a_while() -> None:
    quiet = Quiet()
    assert not quiet.is_over(0.0)
    assert [quiet.failed(0.0), quiet.failed(10.0)] == [True, False]
    assert not quiet
    assert [quiet.is_over(now) for now in (QUIET_S, QUIET_S + 10, QUIET_S + 11)] == [False, True, False]
    assert quiet
    assert quiet.failed(100.0)


def test_equal_names_are_numbered() -> None:
    assert numbered(["a", "b", "a", "a (2)", "a"]) == ["a", "b", "a (2)", "a (2) (2)", "a (3)"]


def test_a_message_is_one_line_of_limited_length() -> None:
    problems = Problems()
    problems.report("source", "first\nsecond\x1b[31m\u2028third " + "x" * 3_000_000)
    message = problems["source"].message
    assert message.startswith(r"first second\x1b[31m third x")
    assert len(message) == MAX_MESSAGE
    assert message.endswith("…")


def test_the_end_of_a_long_detail_is_kept() -> None:
    problems = Problems()
    problems.report("source", "it fails", error=ValueError("x" * 3_000_000 + " at the end"))
    detail = problems["source"].detail
    assert detail is not None
    assert len(detail) == MAX_DETAIL
    assert detail.endswith(" at the end\n")


def test_an_exception_group_is_described_with_its_members() -> None:
    group = ExceptionGroup("two tasks failed", [ValueError("a\nb"), ExceptionGroup("more", [KeyError("k")])])
    assert described(group) == (
        "ExceptionGroup: two tasks failed (2 sub-exceptions): ValueError: a b; "
        "ExceptionGroup: more (1 sub-exception): KeyError: 'k'"
    )


def raising_filter(record: logging.LogRecord) -> bool:
    raise RuntimeError("a filter of the application's")


@pytest.fixture
def broken_log() -> Iterator[None]:
    log = logging.getLogger("tickboard")
    log.addFilter(raising_filter)
    yield
    log.removeFilter(raising_filter)


@pytest.mark.usefixtures("broken_log")
def test_a_log_filter_that_raises_hides_no_problem() -> None:
    problems = Problems()
    problems.report("source", "it fails")
    assert problems["source"].message == "it fails"
    problems.clear("source")
    assert not problems


def test_a_part_is_restarted_even_if_its_failure_cannot_be_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.loop.supervisor.AGAIN_S", 0.01)

    class Broken(Problems):
        def report(self, source: str, message: str, **details: object) -> None:
            raise RuntimeError("it cannot be reported")

    starts: list[int] = []

    async def job() -> None:
        starts.append(1)

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        supervisor = Supervisor(Broken())
        supervisor.start("part", job)
        async with asyncio.timeout(30):
            while len(starts) < 3:
                await asyncio.sleep(0.005)
        await supervisor.stop()

    asyncio.run(scenario())
