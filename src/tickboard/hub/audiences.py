"""The distinct subscriptions of all viewers, each with its audience, and how many one address may have."""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator

from tickboard.engine import Engine
from tickboard.hub.audience import Audience
from tickboard.hub.encodings import JSON, Encoding
from tickboard.hub.viewer import Viewer
from tickboard.metrics.selection import Selection
from tickboard.metrics.selectors import glob_cost

MAX_OWN_SERIES, OWN_BOARDS = 100_000, 4
"""The most series that all different subscriptions of one address may have: this number, or this many times the board's
series if that is more. Each subscription is encoded at every tick, which takes 50 ms for `MAX_OWN_SERIES`."""

MAX_OWN_COST = 500
"""The most that the globs of all different subscriptions of one address may cost: each is tried on every new series
before the tick that contains it. The only subscription of an address is always allowed."""

MAX_LOOK_UPS = 16
"""How often `Audiences.prepare` repeats the look-up of a subscription while new series keep appearing."""


class Audiences:
    """All audiences of one board.

    Args:
        engine: makes the ticks that they see.

    Attributes:
        engine: as given; `Hub.switch` replaces it.
        describe_changes: whether an audience was ever sent changes of the board instead of all of it.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.describe_changes = False
        self._known: dict[tuple[Encoding, tuple[str, ...], bool], Audience[Viewer]] = {}
        self._of_owner: dict[str, Counter[Audience[Viewer]]] = {}
        self._layouts = 0

    def __len__(self) -> int:
        """The number of distinct subscriptions."""
        return len(self._known)

    def __iter__(self) -> Iterator[Audience[Viewer]]:
        """The audiences, the oldest first."""
        return iter(self._known.values())

    # --- viewers ---

    def put(
        self, viewer: Viewer, encoding: Encoding, selectors: Iterable[str], prepared: Selection | None, board: int
    ) -> Audience[Viewer]:
        """Add a viewer to the audience of its subscription, and return the audience; it is made if there is none.

        Args:
            viewer: the viewer.
            encoding: how its ticks are encoded.
            selectors: what it subscribes to; none: everything.
            prepared: what `prepare` returned for these selectors.
            board: the number of the board's description that it will have.
        """
        wanted = distinct(selectors)
        audience = self._known.get((encoding, wanted, viewer.details))
        if audience is None:
            self._layouts += 1
            selection = prepared
            buckets = encoding.has_buckets
            if selection is None or not selection.is_current(self.engine.registry) or selection.buckets != buckets:
                selection = self.engine.select(wanted, selection, buckets=buckets)
            audience = Audience[Viewer](encoding, wanted, selection, self._layouts, board, details=viewer.details)
            self._known[encoding, wanted, viewer.details] = audience
            self.describe_changes |= encoding.describes_changes
        audience.add(viewer)
        viewer.audience = audience
        self._of_owner.setdefault(viewer.owner, Counter())[audience] += 1
        return audience

    def remove(self, viewer: Viewer, audience: Audience[Viewer]) -> None:
        """Remove a viewer from its audience, and the audience if it was its last viewer."""
        audience.remove(viewer)
        own = self._of_owner[viewer.owner]
        own[audience] -= 1
        if not own[audience]:
            del own[audience]
        if not own:
            del self._of_owner[viewer.owner]
        if not audience.size:
            audience.initials.clear()
            del self._known[audience.encoding, audience.selectors, audience.details]

    # --- what they subscribe to ---

    def prepare(self, selectors: Iterable[str], encoding: Encoding = JSON) -> Generator[None, None, Selection]:
        """Look up the series of a subscription in steps; pass the result to `Hub.join` or `Hub.subscribe`.

        Args:
            selectors: as for `Hub.join`.
            encoding: as for `Hub.join`.
        """
        wanted = distinct(selectors)
        known = (audience.selection for (_, texts, _), audience in self._known.items() if texts == wanted)
        selection = next((one for one in known if one.buckets == encoding.has_buckets), None)
        for _ in range(MAX_LOOK_UPS):
            if selection is not None and selection.is_current(self.engine.registry):
                break
            selection = yield from self.engine.select_in_steps(wanted, selection, buckets=encoding.has_buckets)
        assert selection is not None
        if encoding is JSON:
            yield from selection.write()
        return selection

    def refusal(
        self,
        owner: str,
        prepared: Selection | None,
        selectors: Iterable[str],
        encoding: Encoding = JSON,
        *,
        details: bool = False,
        leaving: Viewer | None = None,
    ) -> str:
        """Return why an address may not have another subscription; empty: it may.

        The limit is on the encoding work at each tick. So a subscription is free if another viewer has it in the same
        encoding and with the same details. A subscription to everything is free too, as there are only a few encodings.

        Args:
            owner: the address.
            prepared: what `prepare` returned; None: judge only the globs, before their series are looked up.
            selectors: as for `Hub.join`.
            encoding: as for `Hub.join`.
            details: as for `Hub.join`.
            leaving: the viewer that gives up its current subscription for this one.
        """
        wanted = distinct(selectors)
        if not wanted or (encoding, wanted, details) in self._known:
            return ""
        own = Counter(self._of_owner.get(owner))
        if leaving is not None and leaving.audience is not None:
            own[leaving.audience] -= 1
        own = +own
        different = f"{owner} has {len(own)} different subscriptions, which with this one have"
        cost = glob_cost(wanted) + sum(audience.selection.glob_cost for audience in own)
        if own and cost > MAX_OWN_COST:
            return f"{different} too many or too long globs: use fewer globs, names, or the same subscription again"
        if prepared is None:
            return ""
        series = len(prepared.series) + sum(len(audience.selection.series) for audience in own if audience.selectors)
        if series > max(MAX_OWN_SERIES, OWN_BOARDS * len(self.engine.registry.series)):
            return f"{different} {series} series: subscribe to fewer, or use the same subscription again"
        return ""

    # --- the series that they select ---

    def bind_in_steps(self, audience: Audience[Viewer]) -> Generator[None, None, int]:
        """Look up an audience's series again if some have appeared or left; in steps.

        Series that appear meanwhile are looked up at the next tick.

        Returns:
            The number of look-ups.
        """
        if audience.selection.is_current(self.engine.registry):
            return 0
        before = audience.selection
        selection = yield from self.engine.select_in_steps(audience.selectors, before, buckets=before.buckets)
        yield from audience.encoding.prepare(selection)
        if audience.selection is before:
            self._take(audience, selection)
        return selection.looked_up

    def bind(self, audience: Audience[Viewer]) -> None:
        """Look up an audience's series again if some have appeared or left."""
        if not audience.selection.is_current(self.engine.registry):
            self._take(audience, self._selected_again(audience))

    def rebind(self, audience: Audience[Viewer]) -> None:
        """Look up an audience's series again, and send its viewers a new layout even if the series are the same."""
        self._layouts += 1
        audience.selection, audience.layout = self._selected_again(audience), self._layouts
        audience.initials.clear()

    def _selected_again(self, audience: Audience[Viewer]) -> Selection:
        before = audience.selection
        return self.engine.select(audience.selectors, before, buckets=before.buckets)

    def _take(self, audience: Audience[Viewer], selection: Selection) -> None:
        """Replace an audience's selection; viewers are sent a new layout only if the series differ."""
        if selection.series != audience.selection.series:
            self._layouts += 1
            audience.layout = self._layouts
            audience.initials.clear()
        audience.selection = selection


def distinct(selectors: Iterable[str]) -> tuple[str, ...]:
    """Return selectors in a comparable form: sorted, without repetitions."""
    return tuple(sorted(set(selectors)))
