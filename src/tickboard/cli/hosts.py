"""The commands ``tickboard hosts``: which hosts a wall follows, and forgetting one that is gone."""

from tickboard.cli.table import put_table
from tickboard.client.hosts import forget_host, list_hosts
from tickboard.fleet.messages import check_name
from tickboard.output.terminal import put
from tickboard.output.text import one_line
from tickboard.wire import HostInfo

HEAD = ("NAME", "STATE", "SINCE", "SEEN", "LABELS", "VERSION", "ADDRESS", "NOTE")

MAX_TEXT = 200
"""The most characters of a text that a host has sent."""


def print_hosts(url: str) -> None:
    """Print the hosts of a wall.

    Raises:
        InputError: the address cannot be used.
        RefusedError: the wall cannot be reached or refuses to answer.
    """
    rows = [
        (
            one_line(each.name, MAX_TEXT),
            each.state,
            _second(each.since),
            _second(each.seen) or "-",
            one_line(",".join(f"{label}={value}" for label, value in each.labels.items()), MAX_TEXT) or "-",
            one_line(each.version, MAX_TEXT) or "-",
            one_line(each.address, MAX_TEXT) or "-",
            one_line(_note(each), MAX_TEXT) or "-",
        )
        for each in list_hosts(url, "--url")
    ]
    put_table(HEAD, rows, "there are no hosts: the board follows none, or none has answered yet")


def forget(name: str, url: str) -> None:
    """Make a wall forget a host.

    Raises:
        InputError: the name or the address cannot be used.
        RefusedError: the wall cannot be reached, does not know the host, or refuses since it is live.
    """
    forget_host(url, check_name(name), "--url")
    put(f"host {name}: forgotten")


def _second(time: str) -> str:
    """Return a time of the wire in whole seconds."""
    return f"{time.partition('.')[0]}Z" if "." in time else time


def _note(host: HostInfo) -> str:
    """Return what is worth knowing of a host."""
    clock = f"its clock is {abs(host.clock_s):.1f} s {'ahead' if host.clock_s > 0 else 'behind'}"
    notes = (host.problem, clock if host.clock_s else "", "filling a hole" if host.filling is not None else "")
    return "; ".join(filter(None, notes))
