"""What comes from a host has its name and labels on the wall, and loses none of its own."""

import pytest

from tickboard.fleet.wall_labels import comes_back, wall_labels


def test_the_host_comes_first_then_its_own_labels_then_those_of_the_series() -> None:
    found = wall_labels("web-1", {"env": "prod"}, {"core": "0"})
    assert list(found.items()) == [("host", "web-1"), ("env", "prod"), ("core", "0")]


def test_a_label_whose_name_is_taken_is_exported() -> None:
    found = wall_labels("web-1", {"env": "prod", "host": "x"}, {"host": "y", "env": "dev", "exported_env": "z"})
    assert found == {
        "host": "web-1",
        "env": "prod",
        "exported_host": "x",
        "exported_exported_host": "y",
        "exported_env": "dev",
        "exported_exported_env": "z",
    }


@pytest.mark.parametrize(
    ("name", "labels", "is_back"),
    [
        ("a", {"host": "b", "exported_host": "a"}, True),
        ("a", {"host": "b", "exported_host": "c", "exported_exported_host": "a"}, True),
        ("a", {"host": "a"}, False),
        ("a", {"host": "b", "exported_host": "b", "core": "a", "ghost": "a"}, False),
        ("a", {}, False),
    ],
)
def test_a_series_that_was_on_the_wall_of_its_host_before_comes_back(
    name: str, labels: dict[str, str], *, is_back: bool
) -> None:
    assert comes_back(tuple(wall_labels(name, {"exported": "x"}, labels).items())) == is_back
