"""The series of hosts on a wall: which column of the wall's registry each has.

A metric keeps the name, unit and kind that it has on its host. If that name is taken on the wall by a metric of another
unit or kind, for example of a host with another version, it is shown under a name with its unit or kind added. What
cannot be shown at all is refused, and the host says so.
"""

import re
import sys
from collections.abc import Iterable, Sequence

import numpy as np
from msgspec.structs import replace

from tickboard.client.decoder import WatchedSeries
from tickboard.errors import InputError, LimitError
from tickboard.expressions.alignment import Labels
from tickboard.fleet.host import FollowedHost, MadeSeries
from tickboard.fleet.wall_labels import HOST, MAX_OWN_LABELS, comes_back, wall_labels
from tickboard.metrics.cleaning import MAX_LABEL_VALUE, MAX_NAME
from tickboard.metrics.declarations import is_label
from tickboard.metrics.intake import Intake
from tickboard.metrics.naming import title_of
from tickboard.metrics.source import REFUSED, Source
from tickboard.output.text import encodable, one_line
from tickboard.wire import About, MetricInfo, MetricKind

SOURCE = "hosts"
"""The intake's source of all hosts."""

MAX_HOST_SERIES = 1_000
"""The most series of one host: its overview. Further ones are refused."""

MAX_KEPT_SERIES = 2 * MAX_HOST_SERIES
"""The most series of one host with those that it had before and that have not left the wall yet."""

UP = MetricInfo("host_up", "Hosts that are up", "", "gauge", [HOST], 0, 1)
"""The metric that says of each host whether it is there: 1 or 0."""

MAX_NOTE = 500
"""The most characters of a note."""

IN_A_CIRCLE = "it follows this wall, directly or through others, so its copy is left out: let only one follow the other"
"""Why a series is refused that its host has from walls that follow each other."""

NOT_SHOWN, NOT_FILLED, RENAMED, LABELS = "not shown", "not filled", "renamed", "labels"
"""What the notes of a host are about."""

_UNUSABLE = re.compile(r"[^A-Za-z0-9_./-]+")


class HostSeries:
    """Makes the series of hosts on a wall.

    Args:
        intake: the wall's.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._source = intake.source(SOURCE)
        self._source.most = sys.maxsize

    @property
    def source(self) -> Source:
        """What their values are written through."""
        return self._source

    def introduce(self, host: FollowedHost, about: About) -> None:
        """Take a host's labels and its series' metrics from its description, and make its ``host_up``."""
        labels, refused = _good_labels(about.labels)
        _note(host, LABELS, refused)
        if labels != host.labels or host.up < 0:
            self.remove(host)
            host.labels = labels
            self._make_up(host)
        # Bind again with its next tick, since a unit or a kind may have changed.
        host.series = ()

    def bind(self, host: FollowedHost, series: tuple[WatchedSeries, ...]) -> None:
        """Give the series of a host's ticks their columns."""
        assert host.about is not None
        host.series = series
        metrics = {each.name: each for each in host.about.metrics}
        wanted = {one.key: self._described(host, one, metrics.get(one.name)) for one in series[:MAX_HOST_SERIES]}
        changed = [key for key, made in host.made.items() if key in wanted and wanted[key] != made.described]
        self._intake.drop([made.column for key in changed if (made := host.made.pop(key)).column >= 0])
        self._clear([made.column for key, made in host.made.items() if key not in wanted])
        self._forget_left(host)
        host.made = {
            key: before
            if (before := host.made.get(key)) is not None and before.column >= 0
            else self._make(host, key, *described)
            for key, described in wanted.items()
        }
        refused = [made.note for made in host.made.values() if made.column < 0]
        if len(series) > MAX_HOST_SERIES:
            refused += [f"it publishes {len(series)} series, and {MAX_HOST_SERIES} are shown: publish fewer metrics"]
        _note(host, NOT_SHOWN, refused)
        _note(host, RENAMED, [made.note for made in host.made.values() if made.column >= 0])
        host.use([host.made[one.key].column if one.key in host.made else REFUSED for one in series])

    def columns_of(self, host: FollowedHost, series: Sequence[WatchedSeries]) -> list[int]:
        """Return the columns of series of a host, which are made if the host had them once; below 0: none."""
        assert host.about is not None
        metrics = {each.name: each for each in host.about.metrics}
        self._forget_left(host)
        not_shown = {one.key for one in host.series[MAX_HOST_SERIES:]}
        found = {
            one.key: host.made.get(one.key)
            or self._make(host, one.key, *self._described(host, one, metrics.get(one.name)))
            for one in series
            if one.key not in not_shown
        }
        _note(host, NOT_FILLED, [made.note for made in found.values() if made.column < 0])
        return [found[one.key].column if one.key in found else REFUSED for one in series]

    def remove(self, host: FollowedHost) -> None:
        """Remove all series of a host."""
        columns = [made.column for made in host.made.values()]
        self._intake.drop([column for column in (*columns, host.up) if column >= 0])
        host.made, host.kept, host.series, host.up = {}, set(), (), -1
        host.use([])

    def again(self, host: FollowedHost) -> None:
        """Make the series of a host on another board, which replaces the one before."""
        host.made, host.kept, host.series, host.up = {}, set(), (), -1
        host.use([])
        if host.about is not None:
            self._make_up(host)

    def _make_up(self, host: FollowedHost) -> None:
        host.up = self._make(host, "", UP, _up_labels(host)).column

    def _described(
        self, host: FollowedHost, one: WatchedSeries, metric: MetricInfo | None
    ) -> tuple[MetricInfo, Labels]:
        """Return the metric and the labels that a series has on the wall."""
        labels = tuple(wall_labels(host.name, host.labels, one.labels).items())
        found = MetricInfo(one.name, title_of(one.name), one.unit, "gauge", overview=True)
        if metric is not None:
            # Of a histogram, a tick has an average or a percentile.
            kind: MetricKind = "counter" if metric.kind == "counter" else "gauge"
            found = replace(found, title=metric.title, kind=kind, min=metric.min, max=metric.max)
        return replace(found, labels=[name for name, _ in labels]), labels

    def _make(self, host: FollowedHost, key: str, metric: MetricInfo, labels: Labels) -> MadeSeries:
        """Make a series; its column is `REFUSED` if the wall cannot have it."""
        described = metric, labels
        if comes_back(labels):
            return MadeSeries(REFUSED, described, IN_A_CIRCLE)
        if key not in host.kept and len(host.kept) >= MAX_KEPT_SERIES:
            why = f"it had {MAX_KEPT_SERIES} series lately, and no more are shown: change their labels less often"
            return MadeSeries(REFUSED, described, why)
        try:
            if key and metric.name == UP.name and labels == _up_labels(host):
                raise InputError(f"metric {UP.name!r} is the wall's own")
            return self._made(host, key, MadeSeries(self._source.follow((host.name, key), metric, labels), described))
        except LimitError as error:
            return MadeSeries(REFUSED, described, str(error))
        except InputError as error:
            other = replace(metric, name=_other_name(metric))
            try:
                column = self._source.follow((host.name, key), other, labels)
            except (InputError, LimitError):
                return MadeSeries(REFUSED, described, str(error))
            made = MadeSeries(column, described, f"{_what(error)}: it is shown as {other.name}")
            return self._made(host, key, made)

    @staticmethod
    def _made(host: FollowedHost, key: str, made: MadeSeries) -> MadeSeries:
        host.kept.add(key)
        return made

    def _forget_left(self, host: FollowedHost) -> None:
        """Forget the series of a host that have left the wall."""
        host.kept = {key for key in host.kept if (host.name, key) in self._source.known}

    def _clear(self, columns: Iterable[int]) -> None:
        """Clear the values of series that a host no longer sends; they leave after a while."""
        self._source.clear(np.array([column for column in columns if column >= 0], np.intp))


def _good_labels(labels: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the labels of a host that a series may have, and what is wrong with the others."""
    good: dict[str, str] = {}
    refused: list[str] = []
    for name, value in labels.items():
        if len(good) == MAX_OWN_LABELS:
            refused.append(f"it has {len(labels)} labels: give it {MAX_OWN_LABELS} at most")
            break
        if not is_label(name):
            refused.append(f"its label {name[:40]!r} is left out: use letters, digits, _ and . in its name")
        elif len(name) > MAX_NAME or len(value) > MAX_LABEL_VALUE:
            refused.append(f"its label {name[:40]!r} is left out: it has more than {MAX_LABEL_VALUE} characters")
        else:
            good[name] = encodable(value)
    return good, refused


def _up_labels(host: FollowedHost) -> Labels:
    return tuple(wall_labels(host.name, host.labels, {}).items())


def _other_name(metric: MetricInfo) -> str:
    """Return a metric's name with its unit, or with its kind if it has none."""
    return f"{metric.name}:{_UNUSABLE.sub('_', metric.unit.replace('%', 'percent')) or metric.kind}"


def _what(error: InputError) -> str:
    """Return what is wrong, without how a sender would fix it."""
    return str(error).removesuffix(": send it under another name")


def _note(host: FollowedHost, about: str, texts: Iterable[str]) -> None:
    """Replace what somebody has to fix about one thing."""
    host.notes.pop(about, None)
    if shown := "; ".join(filter(None, dict.fromkeys(texts))):
        host.notes[about] = one_line(shown, MAX_NOTE)
