"""The labels of series in Prometheus' form."""

import platform

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.history.catalogue import Entry
from tickboard.sending.labels import WrittenNames, added_labels, written_labels
from tickboard.sending.messages import OutgoingSeries


def test_names_equal_those_of_an_export() -> None:
    labels = (("mount point", "/"), ("9", "x"))
    assert written_labels("disk.used%", labels, ()) == (("_9", "x"), ("__name__", "disk_used_"), ("mount_point", "/"))


def test_each_series_gets_a_job_and_an_instance() -> None:
    assert dict(added_labels(None)) == {"job": "tickboard", "instance": platform.node()}
    assert dict(added_labels((("job", "boards"), ("env", "prod")))) == {
        "job": "boards",
        "instance": platform.node(),
        "env": "prod",
    }


def test_a_label_of_the_series_itself_wins() -> None:
    added = added_labels((("instance", "here"),))
    found = written_labels("up", (("instance", "db:9100"),), added)
    assert found is not None
    assert dict(found) == {"__name__": "up", "instance": "db:9100", "job": "tickboard"}


def test_an_empty_label_is_left_out() -> None:
    assert written_labels("a", (("b", ""),), (("c", ""),)) == (("__name__", "a"),)


@given(st.text(min_size=1), st.lists(st.tuples(st.text(), st.text()), max_size=4, unique_by=lambda pair: pair[0]))
def test_labels_are_sorted_and_occur_once(name: str, labels: list[tuple[str, str]]) -> None:
    found = written_labels(name, tuple(labels), added_labels(None))
    if found is not None:
        names = [label for label, _ in found]
        assert names == sorted(set(names))


def entries(*keys: tuple[str, tuple[tuple[str, str], ...]]) -> list[Entry]:
    return [Entry(number, name, labels, "") for number, (name, labels) in enumerate(keys)]


def test_only_the_first_of_two_series_that_would_be_one_is_sent() -> None:
    names = WrittenNames(())
    found = names.of(entries(("a.b", ()), ("a-b", ()), ("c", ())))
    assert found == [OutgoingSeries((("__name__", "a_b"),), ""), None, OutgoingSeries((("__name__", "c"),), "")]
    assert names.clash == "a.b and a-b would be one series"
    names.of(entries(("a.b", ()), ("c", ())))
    assert names.clash == ""


@pytest.mark.parametrize("valid", range(3))
def test_the_one_whose_names_are_valid_is_sent_wherever_it_is(valid: int) -> None:
    for right, wrong in (
        (("a_b", ()), [("a.b", ()), ("a-b", ())]),
        (("a", (("x_y", "1"),)), [("a", (("x.y", "1"),)), ("a", (("x-y", "1"),))]),
    ):
        keys = [*wrong[:valid], right, *wrong[valid:]]
        assert [each is not None for each in WrittenNames(()).of(entries(*keys))] == [at == valid for at in range(3)]


def test_a_series_with_two_labels_of_one_name_is_not_sent() -> None:
    names = WrittenNames(())
    assert names.of(entries(("a", (("x.y", "1"), ("x_y", "2"))), ("b", (("__name__", "c"),)))) == [None, None]
    assert names.clash == 'b{__name__="c"} would have two labels with one name'
