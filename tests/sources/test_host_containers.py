from math import isnan
from pathlib import Path

import pytest

from tickboard.sources.host.containers import Container
from tickboard.sources.host.readings import SLOW_S

MB = 1_000_000
MACHINE_BYTES = 16_000 * MB


def write(root: Path, **files: str) -> None:
    """Write files of the cgroup tree. In names, ``__`` stands for ``/`` and ``_0_`` for a dot."""
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("_0_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def container_2(root: Path, **files: str) -> Container:
    """Create a cgroup v2 container with half a core and 200 MB."""
    write(root, cgroup_0_controllers="cpu memory", cpu_0_max="50000 100000", memory_0_max=str(200 * MB))
    write(root, memory_0_current=str(150 * MB), memory_0_stat=f"anon 1\ninactive_file {50 * MB}")
    write(root, cpu_0_stat="usage_usec 1000000\nuser_usec 1\nnr_periods 10\nnr_throttled 2\nthrottled_usec 5")
    write(root, **files)
    return Container(root, MACHINE_BYTES)


def container_1(root: Path, cpu: str = "cpu,cpuacct", cpuacct: str = "cpu,cpuacct") -> Container:
    """Create a cgroup v1 container with two cores and 200 MB."""
    for name, text in {
        f"{cpu}/cpu.cfs_quota_us": "200000",
        f"{cpu}/cpu.cfs_period_us": "100000",
        f"{cpu}/cpu.stat": "nr_periods 10\nnr_throttled 2\nthrottled_time 5",
        f"{cpuacct}/cpuacct.usage": "1000000000",
        "memory/memory.limit_in_bytes": str(200 * MB),
        "memory/memory.usage_in_bytes": str(150 * MB),
        "memory/memory.stat": f"inactive_file 7\ntotal_inactive_file {50 * MB}",
    }.items():
        write(root, **{name: text})
    return Container(root, MACHINE_BYTES)


def test_cgroup_v2_usage_is_in_percent_of_quota_and_limit(tmp_path: Path) -> None:
    read = container_2(tmp_path)
    first = read(100)
    assert isnan(first["container_cpu_usage", ""])
    assert isnan(first["container_cpu_throttled", ""])
    write(tmp_path, cpu_0_stat="usage_usec 1500000\nnr_periods 30\nnr_throttled 7")
    assert read(102) == {
        ("container_cpu_usage", ""): pytest.approx(50),
        ("container_cpu_throttled", ""): pytest.approx(25),
        ("container_memory_usage", ""): pytest.approx(50),
        ("container_memory_used", ""): 100 * MB,
        ("container_memory_limit", ""): 200 * MB,
    }


def test_an_idle_container_is_not_throttled(tmp_path: Path) -> None:
    read = container_2(tmp_path)
    read(100)
    found = read(101)
    assert (found["container_cpu_usage", ""], found["container_cpu_throttled", ""]) == (0, 0)


@pytest.mark.parametrize(("cpu", "cpuacct"), [("cpu,cpuacct", "cpu,cpuacct"), ("cpu", "cpuacct")])
def test_cgroup_v1_usage_is_in_percent_of_quota_and_limit(tmp_path: Path, cpu: str, cpuacct: str) -> None:
    read = container_1(tmp_path, cpu, cpuacct)
    read(100)
    write(tmp_path, **{f"{cpuacct}/cpuacct.usage": "2500000000", f"{cpu}/cpu.stat": "nr_periods 20\nnr_throttled 12"})
    assert read(101) == {
        ("container_cpu_usage", ""): pytest.approx(75),
        ("container_cpu_throttled", ""): pytest.approx(100),
        ("container_memory_usage", ""): pytest.approx(50),
        ("container_memory_used", ""): 100 * MB,
        ("container_memory_limit", ""): 200 * MB,
    }


def test_resources_without_a_limit_are_omitted(tmp_path: Path) -> None:
    assert {name for name, _ in container_2(tmp_path / "a", cpu_0_max="max 100000")(100)} == {
        "container_memory_usage",
        "container_memory_used",
        "container_memory_limit",
    }
    assert {name for name, _ in container_2(tmp_path / "b", memory_0_max="max")(100)} == {
        "container_cpu_usage",
        "container_cpu_throttled",
    }
    over = container_2(tmp_path / "c", cpu_0_max="max 100000", memory_0_max=str(2 * MACHINE_BYTES))
    assert over(100) == {}


def test_the_root_cgroup_of_a_machine_is_not_a_container(tmp_path: Path) -> None:
    write(tmp_path / "v2", cgroup_0_controllers="cpu memory", cpu_0_stat="usage_usec 7")
    write(tmp_path / "v1", cpu__cpu_0_cfs_quota_us="-1", memory__memory_0_limit_in_bytes="9223372036854771712")
    for root in ("v2", "v1", "no cgroups at all"):
        assert Container(tmp_path / root, MACHINE_BYTES)(100) == {}


def test_a_quota_without_a_usage_counter_is_omitted(tmp_path: Path) -> None:
    write(tmp_path, cpu__cpu_0_cfs_quota_us="50000", cpu__cpu_0_cfs_period_us="100000")
    assert Container(tmp_path, MACHINE_BYTES)(100) == {}


def test_a_limit_that_is_set_later_is_noticed(tmp_path: Path) -> None:
    read = container_2(tmp_path, cpu_0_max="max 100000", memory_0_max="max")
    assert read(100) == {}
    write(tmp_path, memory_0_max=str(100 * MB))
    assert read(100 + SLOW_S)["container_memory_usage", ""] == 100


def _own_memory_group() -> Path | None:
    """Return the folder of this process's cgroup v1 memory group, or None if it is not visible."""
    try:
        groups = Path("/proc/self/cgroup").read_text().splitlines()
    except FileNotFoundError:
        return None
    for line in groups:
        _, controllers, path = line.split(":", 2)
        folder = Path("/sys/fs/cgroup/memory") / path.lstrip("/")
        if controllers == "memory" and (folder / "memory.limit_in_bytes").exists():
            return folder
    return None


@pytest.mark.skipif(_own_memory_group() is None, reason="this process is in no memory group of version 1")
def test_the_real_files_of_the_kernel_can_be_read(tmp_path: Path) -> None:
    group = _own_memory_group()
    assert group is not None
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/memory").symlink_to(group)
    # On a machine this large, even the kernel's value for "no limit" is a limit.
    found = Container(tmp_path, machine_bytes=2**63)(100)
    assert found["container_memory_limit", ""] == int((group / "memory.limit_in_bytes").read_text())
    used = int((group / "memory.usage_in_bytes").read_text())
    assert 0 < found["container_memory_used", ""] <= 2 * used
