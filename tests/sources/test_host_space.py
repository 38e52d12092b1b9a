import os
import sys
from math import isnan, nan
from threading import Event
from types import SimpleNamespace

import psutil
import pytest

from tickboard.sources.host import space
from tickboard.sources.host.disks import ROOT
from tickboard.sources.host.readings import MAX_DEVICES, SLOW_S, Label, Readings
from tickboard.sources.host.space import Filling, Space, Usage, mount_usage, storage_mounts

BOUND_S = 10


def mounts_of(readings: Readings) -> list[Label]:
    return [label for name, label in readings if name == "disk_space_usage"]


def part(mount: str, device: str, kind: str = "ext4", options: str = "rw") -> SimpleNamespace:
    return SimpleNamespace(mountpoint=mount, device=device, fstype=kind, opts=options)


def test_the_real_root_agrees_with_the_file_system() -> None:
    found = Space()(100)
    usage = os.statvfs(ROOT)
    assert found["disk_space_size", ROOT] == usage.f_blocks * usage.f_frsize
    used = (usage.f_blocks - usage.f_bfree) * usage.f_frsize
    assert found["disk_space_used", ROOT] == pytest.approx(used, abs=usage.f_blocks * usage.f_frsize / 100)
    assert 0 < found["disk_space_usage", ROOT] <= 100
    free = usage.f_bavail * usage.f_frsize
    assert mount_usage(ROOT).free_bytes == pytest.approx(free, abs=usage.f_blocks * usage.f_frsize / 100)


def test_a_mounted_file_is_not_storage() -> None:
    with pytest.raises(NotADirectoryError):
        mount_usage(__file__)


def test_only_storage_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [
        part("/var/lib/snapd/snap", "/dev/loop0", "squashfs"),
        part("/home", "/dev/sdb1", "btrfs"),
        part("/mnt/office", "office:/export", "nfs4"),
        part("/mnt/share", "//office/share", "cifs"),
        part("/mnt/ssh", "me@office:", "fuse.sshfs"),
        part("/media/stick", "/dev/sdc1", "fuseblk"),
        part("/media/film", "/dev/sr0", "udf"),
        part("Z:\\", "Z:\\", "NTFS", "rw,remote"),
        part("E:\\", "E:\\", "", "cdrom"),
        part("D:\\", "D:\\", "NTFS", "rw,fixed"),
        part("/System/Volumes/Data", "/dev/disk3s5", "apfs"),
        part(ROOT, "/dev/sda1"),
    ]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: parts)
    assert storage_mounts() == [
        (ROOT, "/dev/sda1"),
        ("D:\\", "D:\\"),
        ("/home", "/dev/sdb1"),
        ("/media/stick", "/dev/sdc1"),
    ]


def test_the_root_of_a_container_is_shown_even_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: [part("/etc/hosts", "/dev/sda1")])
    assert storage_mounts() == [(ROOT, ROOT), ("/etc/hosts", "/dev/sda1")]


def test_a_device_is_shown_once_and_an_unreadable_mount_is_omitted() -> None:
    def usage(mount: str) -> Usage:
        if mount == "/etc/hosts":
            raise NotADirectoryError(mount)
        return Usage(50, 1, 2, 1)

    mounts = [("/", "a"), ("/srv", "b"), ("/etc/hosts", "c"), ("/srv/bound", "b"), ("/data/bound", "c")]
    assert mounts_of(Space(lambda: mounts, usage)(100)) == ["/", "/srv", "/data/bound"]


def test_disk_space_is_read_occasionally_and_cached_in_between() -> None:
    looked: list[str] = []

    def usage(mount: str) -> Usage:
        looked.append(mount)
        return Usage(len(looked), 0, 0, 0)

    read = Space(lambda: [("/", "a")], usage)
    assert [read(100 + now)["disk_space_usage", "/"] for now in (0, 1, 9, SLOW_S, SLOW_S + 1)] == [1, 1, 1, 2, 2]


def test_a_hanging_mount_delays_nobody_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(space, "WAIT_S", BOUND_S)
    answers = Event()

    def usage(mount: str) -> Usage:
        if mount == "/stuck" and not answers.wait(BOUND_S):
            raise AssertionError("the test should have let it go")
        return Usage(50, 1, 2, 1)

    mounts = [("/", "a"), ("/stuck", "b"), ("/srv", "c")]
    read = Space(lambda: mounts, usage)
    assert mounts_of(read(100)) == ["/"]
    assert mounts_of(read(100 + SLOW_S)) == ["/", "/srv"]
    assert mounts_of(read(100 + 2 * SLOW_S)) == ["/", "/srv"]
    [hanging] = read._hanging.values()
    answers.set()
    assert hanging.done.wait(BOUND_S)
    assert mounts_of(read(100 + 3 * SLOW_S)) == ["/", "/stuck", "/srv"]


def test_during_a_slow_reading_the_previous_one_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "WAIT_S", 0.01)
    answers = Event()
    answers.set()

    def usage(mount: str) -> Usage:
        answers.wait(BOUND_S)
        return Usage(50, 1, 2, 1)

    read = Space(lambda: [("/", "a")], usage)
    assert mounts_of(read(100)) == ["/"]
    answers.clear()
    assert mounts_of(read(100 + SLOW_S)) == ["/"]
    answers.set()


def test_a_hanging_list_of_mounts_is_requested_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(space, "WAIT_S", BOUND_S)
    answers, asked = Event(), 0

    def mounts() -> list[tuple[str, str]]:
        nonlocal asked
        asked += 1
        answers.wait(BOUND_S)
        return [("/", "a")]

    read = Space(mounts, lambda mount: Usage(1, 1, 1, 0))
    for now in (0, 1, 2, 3):
        assert mounts_of(read(100 + now * SLOW_S)) == []
    assert asked == 1
    assert read._look is not None
    answers.set()
    assert read._look.done.wait(BOUND_S)
    assert mounts_of(read(141)) == ["/"]


def test_a_failing_list_of_mounts_raises_each_time() -> None:
    def broken() -> list[tuple[str, str]]:
        raise PermissionError("not for you")

    read = Space(broken, lambda mount: Usage(1, 1, 1, 0))
    for now in (100, 101):
        with pytest.raises(PermissionError, match="not for you"):
            read(now)


def test_the_number_of_shown_mounts_is_limited() -> None:
    mounts = [(f"/{number}", str(number)) for number in range(MAX_DEVICES + 5)]
    assert len(mounts_of(Space(lambda: mounts, lambda mount: Usage(1, 1, 1, 0))(100))) == MAX_DEVICES


def test_a_mount_may_have_any_name() -> None:
    mounts = [("/mnt/" + "x" * 4096, "a"), ("/mnt/\udcff\n", "b")]
    assert mounts_of(Space(lambda: mounts, lambda mount: Usage(1, 1, 1, 0))(100)) == [
        "/mnt/" + "x" * 26 + "…" + "x" * 32,
        "/mnt/\ufffd\ufffd",
    ]


@pytest.mark.parametrize("ending", ["", "/and-the-same-again-at-the-end-of-it"])
def test_mounts_with_the_same_long_prefix_stay_separate(ending: str) -> None:
    names = [f"/var/lib/kubelet/pods/{'0' * 60}/{number}{ending}" for number in range(2)]
    full = dict(zip(names, (99.0, 1.0), strict=True))
    found = Space(lambda: [(name, name) for name in names], lambda mount: Usage(full[mount], 1, 1, 0))(100)
    shown = {label: value for (name, label), value in found.items() if name == "disk_space_usage"}
    assert sorted(shown.values()) == [1, 99]
    assert all(len(label) <= 64 for label in shown)


def test_on_macos_usage_is_of_the_volume_not_of_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(psutil, "disk_usage", lambda mount: SimpleNamespace(total=1000, used=10, free=400, percent=2.4))
    assert mount_usage(ROOT) == Usage(60, 600, 1000, 400)


GIB = 2**30
HOUR_S = 3600.0


def full_in(sizes_gib: list[float], every_s: float = 60.0) -> float:
    """Return the prediction after a disk of 100 GiB, of which users may fill 95, had these sizes."""
    filling, seconds = Filling(), nan
    for number, size in enumerate(sizes_gib):
        seconds = filling.full_in(
            number * every_s, Usage(size / 0.95, int(size * GIB), 100 * GIB, int((95 - size) * GIB))
        )
    return seconds


def test_a_disk_that_fills_is_full_when_its_line_reaches_the_end() -> None:
    # Half a GiB a minute from 20 on: 45 are left after an hour.
    assert full_in([20.0 + minute / 2 for minute in range(61)]) == pytest.approx(90 * 60, rel=1e-6)


def test_the_space_that_is_left_is_not_computed_from_a_rounded_percentage() -> None:
    filling, seconds = Filling(), nan
    for minute in range(61):
        used = 999 * GIB + minute * GIB // 120
        seconds = filling.full_in(minute * 60.0, Usage(100.0, used, 1000 * GIB, 1000 * GIB - used))
    assert seconds == pytest.approx(HOUR_S, rel=1e-3)


def test_a_bad_minute_among_hours_does_not_bend_the_line() -> None:
    steady = [20 + minute / 60 for minute in range(240)]
    expected = (95 - steady[-1]) * HOUR_S
    assert full_in([*steady[:120], steady[120] + 3, *steady[121:]]) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    "sizes",
    [
        [20.0 + minute for minute in range(60)],
        [50.0] * 90,
        [50.0 - minute / 10 for minute in range(90)],
        [50.0 + minute / 100_000 for minute in range(90)],
        [0.0] * 90,
    ],
    ids=["too short", "steady", "emptied", "years away", "empty"],
)
def test_a_disk_that_does_not_fill_soon_says_nothing(sizes: list[float]) -> None:
    assert isnan(full_in(sizes))


def test_what_was_long_ago_is_forgotten() -> None:
    fast = [minute / 10 for minute in range(300)]
    assert isnan(full_in([*fast, *([fast[-1]] * 361)]))


def test_readings_every_few_seconds_are_as_good_as_one_a_minute() -> None:
    sizes = [20 + second * SLOW_S / 3600 for second in range(7 * 60)]
    assert full_in(sizes, SLOW_S) == pytest.approx((95 - sizes[-1]) * HOUR_S, rel=1e-6)
