import sys
from math import isnan, nan
from pathlib import Path

import pytest

from tickboard.sources.host.devices import Counters, DeviceRates, total, with_device


class Counting:
    def __init__(self, counters: Counters) -> None:
        self.counters = counters

    def __call__(self) -> Counters:
        return self.counters


def test_rates_are_deltas_over_the_actual_time() -> None:
    counting = Counting({"a": (0, 5), "b": (100, 100)})
    rates = DeviceRates(counting)
    rates(100)
    counting.counters = {"a": (5000, 5), "b": (100, 1100)}
    assert rates(102.5) == {"a": (2000, 0), "b": (0, 400)}


def test_readings_close_together_return_the_previous_rate_and_lose_no_count() -> None:
    counting = Counting({"a": (0,)})
    rates = DeviceRates(counting)
    rates(100)
    for now, counted, rate in [(101.0, 1000, 1000), (101.05, 1500, 1000), (101.5, 2000, 2000)]:
        counting.counters = {"a": (counted,)}
        assert rates(now) == {"a": (rate,)}


def test_counter_resets_and_changing_devices_do_not_count_as_rates() -> None:
    counting = Counting({"a": (9000, 9000), "b": (7000, 0)})
    rates = DeviceRates(counting)
    rates(100)
    for now, counters, sums in [
        (101, {"a": (100, 100), "b": (8000, 10)}, (1000, 10)),
        (102, {"a": (200, 100), "c": (10**12, 10**12)}, (100, 0)),
        (103, {"a": (200, 150), "c": (10**12 + 5, 10**12)}, (5, 50)),
        (104, {"d": (5, 5)}, (nan, nan)),
    ]:
        counting.counters = counters
        found = rates(now)
        assert found.keys() == counters.keys()
        assert (total(found, 0), total(found, 1)) == pytest.approx(sums, nan_ok=True)


def test_a_new_device_has_no_rate_yet() -> None:
    counting = Counting({"a": (1,)})
    rates = DeviceRates(counting)
    assert isnan(rates(100)["a"][0])
    counting.counters = {"a": (2,), "b": (2,)}
    found = rates(101)
    assert found["a"] == (1,)
    assert isnan(found["b"][0])


def test_on_linux_only_names_with_a_device_are_selected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("sda", "cciss!c0d0"):
        (tmp_path / name / "device").mkdir(parents=True)
    (tmp_path / "loop0").mkdir()
    assert with_device(["sda", "loop0", "cciss/c0d0", "gone"], str(tmp_path)) == ["sda", "cciss/c0d0"]


def test_a_newly_plugged_in_device_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert with_device(["sda"], str(tmp_path)) == []
    (tmp_path / "sdb" / "device").mkdir(parents=True)
    assert with_device(["sda", "sdb"], str(tmp_path)) == ["sdb"]


def test_on_other_platforms_all_names_are_selected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert with_device(["disk0", "disk1"], str(tmp_path)) == ["disk0", "disk1"]
