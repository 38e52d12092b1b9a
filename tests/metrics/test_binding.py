"""A binding has the series that there were when it was made."""

from tickboard.metrics.registry import Registry


def test_a_binding_is_a_snapshot_of_the_series() -> None:
    registry = Registry()
    registry.gauge("cpu")
    heat = registry.gauge("heat", labels=["room"])
    heat.labels(room="attic").set(1)
    binding = registry.binding()
    assert list(binding) == ["cpu", "heat"]
    assert len(binding) == 2
    # As from another thread, after room was reserved in the window.
    heat.labels(room="cellar").set(2)
    registry.gauge("new")
    labels, columns = binding["heat"]
    assert (labels, columns.tolist()) == (((("room", "attic"),),), [1])
    assert binding.get("new") is None
    assert registry.binding()["heat"][1].tolist() == [1, 2]
