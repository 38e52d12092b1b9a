"""Names and labels are written so that Prometheus takes them."""

import pytest

from tickboard.metrics.openmetrics import braces, label_name, metric_name


@pytest.mark.parametrize(
    ("name", "metric", "label"),
    [
        ("cpu_usage", "cpu_usage", "cpu_usage"),
        ("disk.usage", "disk_usage", "disk_usage"),
        ("job:rate", "job:rate", "job_rate"),
        ("5m", "_5m", "_5m"),
        ("größe", "gr__e", "gr__e"),
    ],
)
def test_other_characters_become_underscores(name: str, metric: str, label: str) -> None:
    assert metric_name(name) == metric
    assert label_name(name) == label


def test_values_of_labels_are_escaped() -> None:
    assert braces([]) == ""
    assert braces([("path", 'C:\\a "b"\nc'), ("n", "1")]) == r'{path="C:\\a \"b\"\nc",n="1"}'
