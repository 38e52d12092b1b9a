"""The sources: what watching the host costs, and what the middleware adds to a request."""

from benchmarks import host_cost, middleware_cost
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


def middleware_table() -> Table:
    """Return what the middleware adds."""
    figures = middleware_cost.measure()
    result = Table(
        "The middleware",
        "What `TickboardMiddleware` adds to a request of an ASGI application that does nothing, in the same run. "
        "Beyond 10,000 requests a tick, latencies are sampled, which costs a random number each.",
        ["what", "per request"],
    )
    result.add("bare application", f"{figures['bare_ns'] / 1e3:.2f} µs")
    result.add("with the middleware", f"{figures['measured_ns'] / 1e3:.2f} µs")
    result.add("added", f"{figures['added_ns'] / 1e3:.2f} µs")
    result.add("added, beyond 10,000 a tick", f"{figures['added_ns_beyond_10000_a_tick'] / 1e3:.2f} µs")
    return result


def tables() -> list[Table]:
    """Return all tables of this benchmark."""
    return [host_table(), middleware_table()]


if __name__ == "__main__":
    for one in tables():
        print(one.markdown())
