"""The list of a wall's hosts as viewers get it, and what has changed in it since a revision."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Literal

from tickboard.fleet.host import FollowedHost
from tickboard.fleet.link import Link
from tickboard.output.logs import log
from tickboard.wire import HostInfo, HostList, RuleInfo, encode, timestamp

MAX_LOGGED = 20
"""How many addresses that lead to no host are logged."""

MAX_RULES = 1_000
"""The most rules of hosts that are listed."""

MAX_REMOVED = 10_000
"""How many forgotten hosts are remembered for viewers who ask what has changed."""


class HostListing:
    """Lists the hosts of a wall, and links to hosts whose names are not known yet.

    Args:
        hosts: the wall's, by name.
        began: when the wall started, POSIX seconds.

    Attributes:
        revision: changes with each change that viewers see.
    """

    def __init__(self, hosts: Mapping[str, FollowedHost], began: float) -> None:
        # Numbers of an earlier run of the wall are lower.
        self._first = self.revision = int(began * 1000)
        self._hosts = hosts
        # The reason why each host cannot be reached, since when, and the revision.
        self._unknown: dict[Link, tuple[str, float, int]] = {}
        self._removed: deque[tuple[int, str]] = deque()
        self._rules: list[RuleInfo] | None = None

    def listed(self, since: int | None = None) -> HostList:
        """Return the hosts by name; those that have changed since a revision, if it is of this run."""
        after = -1 if since is None or not self._first <= since <= self.revision else since
        hosts = [host.info() for _, host in sorted(self._hosts.items()) if host.revision > after]
        hosts += [
            HostInfo(link.address, "waiting", timestamp(at), address=link.address, kind=_kind(link), problem=why)
            for link, (why, at, revision) in self._unknown.items()
            if revision > after
        ]
        removed = [] if after < 0 else [name for revision, name in self._removed if revision > after]
        if self._rules is None:
            self._rules = _rules_of(self._hosts.values())
        return HostList(self.revision, hosts, removed, self._rules, after < 0)

    def change(self, host: FollowedHost) -> None:
        """Record that a host has changed."""
        self.revision += 1
        host.revision = self.revision

    def change_rules(self) -> None:
        """Record that the rules of the hosts may have changed."""
        self._rules = None

    def remove(self, name: str) -> None:
        """Record that a host, or an address without a name, is no longer listed."""
        self.revision += 1
        self._removed.append((self.revision, name))
        if len(self._removed) > MAX_REMOVED:
            # Viewers with an older revision get the whole list.
            self._first, _ = self._removed.popleft()

    def add_unknown(self, link: Link, why: str, now: float) -> None:
        """List a link to a host that cannot be reached, and whose name is not known."""
        before = self._unknown.get(link)
        if before is None and len(self._unknown) < MAX_LOGGED:
            log.warning("host %s is not followed: %s (it is tried again, and not logged again)", link.address, why)
        if before is None or before[0] != why:
            self.revision += 1
            self._unknown[link] = why, now if before is None else before[1], self.revision

    def end_unknown(self, link: Link) -> None:
        """No longer list a link as one to a host whose name is not known."""
        if self._unknown.pop(link, None) is not None:
            self.remove(link.address)


def _rules_of(hosts: Iterable[FollowedHost]) -> list[RuleInfo]:
    """Return the rules of all hosts, each once."""
    found: dict[bytes, RuleInfo] = {}
    for host in hosts:
        if host.about is not None and len(found) < MAX_RULES:
            found |= {encode(rule): rule for rule in host.about.rules}
    return list(found.values())


def _kind(link: Link) -> Literal["http", "nats"]:
    return "http" if link.kind == "http" else "nats"
