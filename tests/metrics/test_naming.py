"""Titles and units for metrics that are sent without them."""

import pytest

from tickboard.metrics.naming import MAX_LABEL, group_of, rate_unit, safe_label, safe_labels, title_of, unit_of


@pytest.mark.parametrize(
    ("name", "declared", "unit"),
    [
        ("http.server.request.duration", "s", "s"),
        ("jvm.memory.used", "By", "B"),
        ("system.network.io", "By/s", "B/s"),
        ("http.server.active_requests", "{request}", "request"),
        ("system.cpu.utilization", "1", ""),
        ("hw.temperature", "Cel", "°C"),
        ("http_request_duration_seconds", "", "s"),
        ("http_request_duration_seconds_bucket", "", "s"),
        ("process_resident_memory_bytes", "", "B"),
        ("node_network_receive_bytes_total", "", "B"),
        ("cache_hit_ratio", "", ""),
        ("job.duration.ms", "", "ms"),
        ("queue_depth", "", ""),
        ("seconds", "", ""),
        ("x", "furlongs per fortnight, more or less", "furlongs per fortnigh"[:20]),
    ],
)
def test_the_unit_comes_from_metadata_or_from_the_name(name: str, declared: str, unit: str) -> None:
    assert unit_of(name, declared) == unit


def test_a_rate_is_per_second() -> None:
    assert [rate_unit("B"), rate_unit(""), rate_unit("B/s")] == ["B/s", "/s", "B/s"]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("http_requests_total", "HTTP requests"),
        ("http_request_duration_seconds", "HTTP request duration"),
        ("go_gc_duration_seconds", "Go GC duration"),
        ("jvm.memory.used", "JVM memory used"),
        ("queueDepth", "QueueDepth"),
        ("total", "Total"),
        ("_", "_"),
    ],
)
def test_the_title_is_the_name_in_words(name: str, title: str) -> None:
    assert title_of(name) == title


def test_metrics_are_grouped_by_their_first_word() -> None:
    assert [group_of("http.server.duration"), group_of("http_requests"), group_of("up")] == ["http", "http", ""]


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
        ("x" * 4096, "x" * 31 + "…" + "x" * 32),
        ("  ", "?"),
        ("", "?"),
    ],
)
def test_an_untrusted_name_becomes_a_safe_label(name: str, label: str) -> None:
    found = safe_label(name)
    assert found == label
    assert len(found.encode()) <= 4 * MAX_LABEL


@pytest.mark.parametrize(
    "names",
    [
        [f"/var/lib/kubelet/pods/{'0' * 60}/volumes/disk-{number}" for number in range(3)],
        [f"/srv/{'a' * 60}-{number}-{'b' * 60}" for number in range(50)],
        ["a\x01", "a\x02", "a\ufffd"],
        ['a"', "a'", " a'"],
        ["", " ", "?"],
    ],
)
def test_different_names_get_different_labels_in_any_order(names: list[str]) -> None:
    labels = safe_labels(names)
    assert len(set(labels.values())) == len(names)
    assert all(0 < len(label) <= MAX_LABEL for label in labels.values())
    assert safe_labels(reversed(names)) == labels
    assert list(labels) == names


def test_names_with_colliding_digits_get_more_digits() -> None:
    # Enough names for four digits to collide.
    names = [f"{'a' * 60}{number}{'b' * 60}" for number in range(1_500)]
    labels = safe_labels(names)
    assert len(set(labels.values())) == len(names)
    assert max(map(len, labels.values())) <= MAX_LABEL
    assert safe_labels(reversed(names)) == labels


def test_a_name_equal_to_the_label_of_another_gets_its_own_digits() -> None:
    names = ["a\x01", "a\x02"]
    for _ in range(3):
        names.append(safe_labels(names)[names[-1]])
        labels = safe_labels(names)
        assert len(set(labels.values())) == len(names)
        assert safe_labels(reversed(names)) == labels


def test_a_name_without_conflicts_is_unchanged() -> None:
    assert safe_labels(["sda", "a\x01", "a\x02"])["sda"] == "sda"
