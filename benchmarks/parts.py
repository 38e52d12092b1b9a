"""The sources: what watching the host costs."""

from benchmarks import host_cost
from benchmarks.report import Table


def host_table() -> Table:
    """Return what reading the host costs."""
    hot, cold = host_cost.measure(), host_cost.measure_at_1_hz()
    cold_ms = cold["cold_cpu_ms_per_sample"]
    result = Table(
        "Reading the host",
        "The CPU time of one sample of all that `tickboard` shows of the machine, in this process: one after the "
        "other, and with a real second between two, when the caches are cold.",
        ["what", "one after the other", "a second between two", "limit"],
    )
    result.add("CPU time of a sample", f"{hot['cpu_ms_per_sample']:.2f} ms", f"{cold_ms:.2f} ms", "")
    result.add("share of one core at 1 s", f"{hot['core_percent_at_1_hz']:.2f} %", f"{cold_ms / 10:.2f} %", "< 1 %")
    result.add("worst sample", f"{hot['worst_ms_per_sample']:.2f} ms", "", "")
    return result


def tables() -> list[Table]:
    """Return all tables of this benchmark."""
    return [host_table()]


if __name__ == "__main__":
    for one in tables():
        print(one.markdown())
