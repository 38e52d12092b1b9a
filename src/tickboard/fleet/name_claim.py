"""Whose a host's name is, if several processes want it: that of the first one, for as long as it is heard from.

Each process announces its claim, and listens for `LISTEN_S` before it takes a free name. A process whose name another
one has waits until that one says goodbye, or has been silent for as long as walls wait before they call it gone. If two
have the name, since neither could hear the other, the one that began later gives it up.

It takes what was heard and the time, monotonic seconds, as arguments, and sends nothing.
"""

LISTEN_S = 1.0
"""How long a process listens for others before it takes a name."""

CLAIMED_S = 2.0
"""How long it waits after a claim of an earlier process, which repeats its claim every second until it has the name."""

MAX_ANSWERED = 1_000
"""How many processes it answers without having the name."""


class NameClaim:
    """The claim of this process to its name.

    Args:
        since: when this process began to want the name, POSIX seconds.
        patience_s: for how long another process may be silent before this one takes the name from it.

    Attributes:
        holds: whether this process has the name.
        since: as given.
        other: where another process runs that has the name or wants it; empty: there is none, or it has not said.
    """

    def __init__(self, since: float, patience_s: float) -> None:
        self.holds = False
        self.since = since
        self.other = ""
        self._patience_s = patience_s
        self._free_at: float | None = None
        self._answered: set[float] = set()
        # Until when an earlier process may take the name first.
        self._claimed_until = 0.0
        self._rival_at: float | None = None

    def connected(self, now: float) -> None:
        """Begin to listen, since a connection has begun."""
        if not self.holds:
            self._free_at = now + LISTEN_S

    def look(self, now: float) -> bool:
        """Take the name if it is free now; return whether this process has it."""
        if not self.holds and self._free_at is not None and now >= max(self._free_at, self._claimed_until):
            self.holds, self._free_at, self.other = True, None, ""
        if self._rival_at is not None and now - self._rival_at >= self._patience_s:
            self._rival_at, self.other = None, ""
        return self.holds

    @property
    def has_rival(self) -> bool:
        """Whether another process has the name or wants it."""
        return self._rival_at is not None

    def answers(self, since: float) -> bool:
        """Return whether to answer another process that wants the name.

        The one that has the name always does. One that came before does once, since its answer is a claim, too: among
        many processes of one name, each answer would be answered again.

        Args:
            since: when the other one began to want it, POSIX seconds.
        """
        if self.holds:
            return since != self.since
        if since <= self.since or since in self._answered or len(self._answered) >= MAX_ANSWERED:
            return False
        self._answered.add(since)
        return True

    def heard(self, since: float, now: float, *, holds: bool, place: str = "") -> None:
        """Take another process's claim or beat.

        Args:
            since: when its sender began to want the name, POSIX seconds.
            now: when it was heard.
            holds: whether its sender has the name.
            place: where its sender runs; empty: it does not say.
        """
        self._rival_at = now
        self.other = place or self.other
        if holds and (not self.holds or since < self.since):
            self.holds = False
            self._free_at = now + self._patience_s
        elif not self.holds and since < self.since:
            self._claimed_until = now + CLAIMED_S

    def said_bye(self, now: float) -> None:
        """Record that the process that has the name has ended."""
        if not self.holds:
            self._free_at = now
