"""The client of changes, against servers that are no boards, and what it returns."""

import datetime as dt
import json
import re
from typing import Any

import pytest
from tests.hostile import HTTP, answering, body

import tickboard
from tickboard import Change, InputError, RefusedError
from tickboard.client.changes_data import Changes

ANSWER: dict[str, Any] = {
    "from": "2026-01-31T12:05:00.000Z",
    "to": "2026-01-31T12:10:00.000Z",
    "baseline_from": "2026-01-31T12:00:00.000Z",
    "baseline_to": "2026-01-31T12:05:00.000Z",
    "tier": "minutes",
    "compared": 7,
    "changed": 3,
    "changes": [
        {
            "name": "disk",
            "labels": {"mount": "/", "name": "sda"},
            "unit": "GB",
            "score": 0.75,
            "before": None,
            "after": 3.5,
            "factor": None,
        },
        {"name": "cpu", "labels": {}, "unit": "%", "score": 0.5, "before": 10.0, "after": 20.0, "factor": 2.0},
    ],
}


def changes(answer: object) -> Changes:
    with answering(body(json.dumps(answer).encode())) as port:
        return tickboard.changes(f"http://127.0.0.1:{port}")


def test_changes_are_a_sequence() -> None:
    found = changes(ANSWER)
    disk, cpu = found
    assert (found.compared, found.changed) == (7, 3)
    assert (found[0], found[-1], found[1:], len(found)) == (disk, cpu, (cpu,), 2)
    assert disk == Change("disk", "GB", {"mount": "/", "name": "sda"}, 0.75, None, 3.5, None)
    assert disk.key == 'disk{mount="/",name="sda"}'
    assert found.end - found.baseline_start == dt.timedelta(minutes=10)
    assert repr(found) == "<Changes 2026-01-31 12:05:00+00:00 to 2026-01-31 12:10:00+00:00: 3 of 7 series>"
    assert repr(disk) == '<Change disk{mount="/",name="sda"}: no value to 3.5, score 0.75>'
    assert repr(cpu) == "<Change cpu: 10 to 20, score 0.5>"


@pytest.mark.parametrize(
    "answer", [[], {}, "changes", ANSWER | {"from": "yesterday"}, ANSWER | {"tier": "days"}, ANSWER | {"changes": [1]}]
)
def test_an_answer_not_from_a_board_is_refused(answer: object) -> None:
    with pytest.raises(RefusedError, match="the answer does not say what changed: give the address of a board"):
        changes(answer)


@pytest.mark.parametrize("name", HTTP)
def test_a_hostile_server_causes_a_short_error(name: str) -> None:
    with answering(HTTP[name]) as port, pytest.raises(RefusedError) as refused:
        tickboard.changes(f"http://127.0.0.1:{port}", timeout=1.5)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1_000


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"url": "ftp://host"}, "is not the address of a board"),
        ({"start": "yesterday"}, "start=yesterday"),
        ({"baseline_start": "soon"}, "baseline_start=soon"),
        ({"baseline_end": dt.datetime(2026, 1, 1)}, "give it a timezone"),  # noqa: DTZ001
        ({"limit": 0}, "limit=0: give a whole number from 1 to 10000"),
        ({"headers": {"a": "b\nc"}}, "a line break"),
        ({"timeout": "soon"}, "soon"),
    ],
)
def test_the_error_names_an_invalid_argument(arguments: dict[str, Any], why: str) -> None:
    url = arguments.pop("url", "http://127.0.0.1:1")
    with pytest.raises(InputError, match=re.escape(why)):
        tickboard.changes(url, "cpu", **arguments)
