"""Declarations say what metric there is, and malformed ones are refused before anything is declared."""

import pytest

from tickboard.errors import InputError
from tickboard.metrics.registry import Registry


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_lone_surrogates_become_question_marks(registry: Registry) -> None:
    size = registry.gauge("size", "Size \udcff", unit="\udcff", labels=["file"])
    assert (size.metric.title, size.metric.unit) == ("Size ?", "?")
    series = size.labels(file="log-\udcff.txt")
    series.set(1)
    assert [one.key for one in registry.series] == ['size{file="log-?.txt"}']
    assert size.labels(file="log-\udcff.txt") is series
    assert registry.gauge("size", "Size \udcff", unit="\udcff", labels=["file"]) is size


@pytest.mark.parametrize("name", ["", "1cpu", "cpu usage", 'a"b', "a{b}", "é"])
def test_a_malformed_name_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(InputError, match="start with a letter"):
        registry.gauge(name)


def test_malformed_labels_are_refused(registry: Registry) -> None:
    with pytest.raises(InputError, match="write labels="):
        registry.gauge("cpu", labels="core")
    with pytest.raises(InputError, match="label name 'a b'"):
        registry.gauge("cpu", labels=["a b"])


@pytest.mark.parametrize("forget", ["5m", None, 300])
def test_forget_must_be_true_or_false(registry: Registry, forget: object) -> None:
    with pytest.raises(InputError, match=r"metric 'heat': forget=.*: give True or False; Board\(forget=\"5m\"\)"):
        registry.gauge("heat", labels=["host"], forget=forget)  # type: ignore[arg-type]
    assert registry.metrics == {}


def test_a_metric_of_the_overview() -> None:
    registry = Registry()
    assert registry.gauge("a", overview=True).metric.overview
    assert not registry.counter("b").metric.overview
    with pytest.raises(InputError, match="metric 'c': overview='yes': give True or False"):
        registry.histogram("c", overview="yes")  # type: ignore[arg-type]
