import os
import sys
from threading import Event
from types import SimpleNamespace

import psutil
import pytest

from tickboard.sources.host import space
from tickboard.sources.host.disks import ROOT
from tickboard.sources.host.readings import MAX_DEVICES, SLOW_S, Readings
from tickboard.sources.host.space import Space, Usage, mount_usage, storage_mounts

BOUND_S = 10


def mounts_of(readings: Readings) -> list[str]:
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


def test_a_file_that_is_mounted_is_no_storage() -> None:
    with pytest.raises(NotADirectoryError):
        mount_usage(__file__)


def test_storage_is_shown_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_the_root_of_a_container_is_shown_though_no_device_is_mounted_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: [part("/etc/hosts", "/dev/sda1")])
    assert storage_mounts() == [(ROOT, ROOT), ("/etc/hosts", "/dev/sda1")]


def test_a_device_in_several_places_is_shown_once_and_what_cannot_be_read_is_not() -> None:
    def usage(mount: str) -> Usage:
        if mount == "/etc/hosts":
            raise NotADirectoryError(mount)
        return Usage(50, 1, 2)

    mounts = [("/", "a"), ("/srv", "b"), ("/etc/hosts", "c"), ("/srv/bound", "b"), ("/data/bound", "c")]
    assert mounts_of(Space(lambda: mounts, usage)(100)) == ["/", "/srv", "/data/bound"]


def test_it_is_looked_at_now_and_then_and_held_between() -> None:
    looked: list[str] = []

    def usage(mount: str) -> Usage:
        looked.append(mount)
        return Usage(len(looked), 0, 0)

    read = Space(lambda: [("/", "a")], usage)
    assert [read(100 + now)["disk_space_usage", "/"] for now in (0, 1, 9, SLOW_S, SLOW_S + 1)] == [1, 1, 1, 2, 2]


def test_one_that_hangs_keeps_nobody_waiting_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(space, "WAIT_S", BOUND_S)
    answers = Event()

    def usage(mount: str) -> Usage:
        if mount == "/stuck" and not answers.wait(BOUND_S):
            raise AssertionError("the test should have let it go")
        return Usage(50, 1, 2)

    mounts = [("/", "a"), ("/stuck", "b"), ("/srv", "c")]
    read = Space(lambda: mounts, usage)
    assert mounts_of(read(100)) == ["/"]
    assert mounts_of(read(100 + SLOW_S)) == ["/", "/srv"]
    assert mounts_of(read(100 + 2 * SLOW_S)) == ["/", "/srv"]
    [hanging] = read._hanging.values()
    answers.set()
    assert hanging.done.wait(BOUND_S)
    assert mounts_of(read(100 + 3 * SLOW_S)) == ["/", "/stuck", "/srv"]


def test_while_one_look_takes_long_what_was_found_before_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "WAIT_S", 0.01)
    answers = Event()
    answers.set()

    def usage(mount: str) -> Usage:
        answers.wait(BOUND_S)
        return Usage(50, 1, 2)

    read = Space(lambda: [("/", "a")], usage)
    assert mounts_of(read(100)) == ["/"]
    answers.clear()
    assert mounts_of(read(100 + SLOW_S)) == ["/"]
    answers.set()


def test_a_list_of_mounts_that_hangs_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(space, "WAIT_S", BOUND_S)
    answers, asked = Event(), 0

    def mounts() -> list[tuple[str, str]]:
        nonlocal asked
        asked += 1
        answers.wait(BOUND_S)
        return [("/", "a")]

    read = Space(mounts, lambda mount: Usage(1, 1, 1))
    for now in (0, 1, 2, 3):
        assert mounts_of(read(100 + now * SLOW_S)) == []
    assert asked == 1
    assert read._look is not None
    answers.set()
    assert read._look.done.wait(BOUND_S)
    assert mounts_of(read(141)) == ["/"]


def test_that_mounts_cannot_be_told_is_said_each_time() -> None:
    def broken() -> list[tuple[str, str]]:
        raise PermissionError("not for you")

    read = Space(broken, lambda mount: Usage(1, 1, 1))
    for now in (100, 101):
        with pytest.raises(PermissionError, match="not for you"):
            read(now)


def test_of_very_many_mounts_some_are_shown() -> None:
    mounts = [(f"/{number}", str(number)) for number in range(MAX_DEVICES + 5)]
    assert len(mounts_of(Space(lambda: mounts, lambda mount: Usage(1, 1, 1))(100))) == MAX_DEVICES


def test_a_mount_may_have_any_name() -> None:
    mounts = [("/mnt/" + "x" * 4096, "a"), ("/mnt/\udcff\n", "b")]
    assert mounts_of(Space(lambda: mounts, lambda mount: Usage(1, 1, 1))(100)) == [
        "/mnt/" + "x" * 26 + "…" + "x" * 32,
        "/mnt/\ufffd\ufffd",
    ]


@pytest.mark.parametrize("ending", ["", "/and-the-same-again-at-the-end-of-it"])
def test_mounts_with_the_same_long_beginning_are_two(ending: str) -> None:
    names = [f"/var/lib/kubelet/pods/{'0' * 60}/{number}{ending}" for number in range(2)]
    full = dict(zip(names, (99.0, 1.0), strict=True))
    found = Space(lambda: [(name, name) for name in names], lambda mount: Usage(full[mount], 1, 1))(100)
    shown = {label: value for (name, label), value in found.items() if name == "disk_space_usage"}
    assert sorted(shown.values()) == [1, 99]
    assert all(len(label) <= 64 for label in shown)


def test_macos_tells_what_a_volume_uses_and_not_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(psutil, "disk_usage", lambda mount: SimpleNamespace(total=1000, used=10, free=400, percent=2.4))
    assert mount_usage(ROOT) == Usage(60, 600, 1000)
