"""Which hosts have to describe themselves, and when a wall may ask for it.

A question is answered by every host, so that one host whose description is of no use must not cause one for ever: each
time that the same host needs it again, the pause before the next question is twice as long.
"""

from msgspec import Struct

from tickboard.output.logs import log

MAX_MISSING = 10_000
"""How many are remembered; further ones wait for the next question that is asked anyway."""

LOGGED_AT = 3
"""After so many questions in vain, the name is logged."""

MAX_LOGGED = 20
"""How many names are logged, since anybody can make up many."""


class _Missing(Struct):
    asked: int
    again_at: float


class MissingDescriptions:
    """The hosts whose description is missing, each with what cannot be understood without it: beats or ticks.

    Args:
        first_s: the first pause between two questions because of the same host, seconds.
        longest_s: the longest.
    """

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._missing: dict[tuple[str, str], _Missing] = {}
        self._logged: set[str] = set()

    def ask(self, name: str, what: str, now: float) -> bool:
        """Return whether to ask now because of a host.

        Args:
            name: the host's.
            what: what cannot be understood.
            now: monotonic seconds.
        """
        one = self._missing.get((name, what))
        if one is None:
            if len(self._missing) >= MAX_MISSING:
                return False
            one = self._missing[name, what] = _Missing(0, now)
        if now < one.again_at:
            return False
        one.again_at = now + min(self._longest_s, self._first_s * 2.0 ** min(one.asked, 10))
        one.asked += 1
        if one.asked == LOGGED_AT and name not in self._logged and len(self._logged) < MAX_LOGGED:
            self._logged.add(name)
            log.warning("host %s: its %s need a description that it does not give (not logged again)", name, what)
        return True

    def has(self, name: str, what: str) -> None:
        """Take note that something of a host was understood."""
        self._missing.pop((name, what), None)

    def clear(self) -> None:
        """Begin anew, since everybody has to be asked."""
        self._missing.clear()
