"""The wire types: every message and document that leaves or enters the server.

They are the only definition of the wire: JSON Schema, the OpenAPI document and the page's TypeScript types are made
from these classes. Nothing here knows how they are sent. Field names are those on the wire. Times are RFC 3339 strings
in UTC with milliseconds.
"""

from datetime import UTC, datetime
from typing import Literal

import msgspec

Severity = Literal["info", "warning", "critical"]
"""How severe an alert is; only ``critical`` counts in the page's badge."""

MetricKind = Literal["gauge", "counter", "histogram"]


class Metric(msgspec.Struct, frozen=True, omit_defaults=True):
    """The value of one series at one tick."""

    name: str
    value: float
    unit: str
    timestamp: str
    labels: dict[str, str] = {}


class Acknowledgement(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person's acknowledgement of an alert: no more reminders of it are sent."""

    timestamp: str
    by: str = ""
    note: str = ""


SilenceScope = Literal["series", "rule"]
"""What a silence covers: one series of a rule, or all of them."""


class Silence(msgspec.Struct, frozen=True, omit_defaults=True):
    """A silence: until a time, no notifier sends one rule's alerts on one series, or on any. The page still shows them.

    With ``until_resolved`` it ends when nothing that it covers fires any more, and at ``until`` at the latest.
    """

    rule: str
    until: str
    reason: str
    timestamp: str
    labels: dict[str, str] = {}
    by: str = ""
    scope: SilenceScope = "series"
    until_resolved: bool = False


class Alert(msgspec.Struct, frozen=True, omit_defaults=True):
    """One episode of a rule being true. It fires once and is resolved once.

    ``value`` is the value that it fired with, ``peak`` the worst since. ``started`` is when the rule became true,
    ``timestamp`` when the alert fired, and ``seen`` when the rule was last true. ``ended`` is the reason if something
    other than the value ended it. On a wall, ``host`` is the host whose alert it is, and ``id`` is ``HOST:ID``.
    """

    id: str
    message: str
    severity: Severity
    timestamp: str
    metric: str = ""
    labels: dict[str, str] = {}
    value: float | None = None
    resolved: str | None = None
    rule: str = ""
    started: str = ""
    seen: str = ""
    peak: float | None = None
    threshold: float | None = None
    ended: str = ""
    acknowledged: Acknowledgement | None = None
    silenced: Silence | None = None
    host: str = ""


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happened, such as a deployment: at ``timestamp``, or from then until ``until``.

    ``by`` is who made the mark; empty if unknown.
    """

    id: str
    text: str
    timestamp: str
    by: str
    until: str | None = None


class Stats(msgspec.Struct, frozen=True, omit_defaults=True):
    """The stats of one series over the window; all 0 if it has no value there."""

    avg: float
    max: float
    min: float
    count: int
    last: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class TickSpan(msgspec.Struct, frozen=True):
    """One tick of an ``initial`` message: the next ``count`` metrics belong to it."""

    seq: int
    timestamp: str
    count: int


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that the owner of the board has to fix. The page and the terminal show it.

    ``source`` names the part, and ``since`` is when it was first reported. The shown values of ``metrics`` are stale
    because of it.
    """

    source: str
    message: str
    since: str
    metrics: list[str] = []
    file: str | None = None
    line: int | None = None
    detail: str | None = None


class MetricInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A metric, as the page needs it. Walls that follow the board show those of the ``overview``."""

    name: str
    title: str
    unit: str
    kind: MetricKind
    labels: list[str] = []
    min: float | None = None
    max: float | None = None
    overview: bool = False


class RuleInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rule, as the page needs it to draw the threshold."""

    condition: str
    message: str
    severity: Severity
    metric: str = ""
    threshold: float | None = None
    name: str = ""


class Card(msgspec.Struct, frozen=True, tag="card", omit_defaults=True):
    """The newest value of a metric with its average, min, max and count; one for each of its series.

    Only series that have all of `labels`; with a `limit`, the highest of them. `note` is shown beside the title.
    """

    metric: str
    title: str
    note: str = ""
    labels: dict[str, str] = {}
    limit: int = 0


class Chart(msgspec.Struct, frozen=True, tag="chart", omit_defaults=True):
    """A chart of the window: one or more metrics of one unit, a line for each of their series."""

    metrics: list[str]
    title: str
    unit: str = ""
    min: float | None = None
    max: float | None = None
    stacked: bool = False


class Table(msgspec.Struct, frozen=True, tag="table", omit_defaults=True):
    """The newest values of one or more metrics: a row for each value of a label, highest of the first metric first.

    Rows are told apart by the labels in `also` as well, each of which has a column.
    """

    metrics: list[str]
    label: str
    title: str
    limit: int = 10
    also: list[str] = []


class Heatmap(msgspec.Struct, frozen=True, tag="heatmap", omit_defaults=True):
    """The distribution of a histogram over time: at each tick, the share of values in each bucket.

    The buckets are the series of the metric ``METRIC.buckets``; see the protocol. Only series that have all of `labels`
    count. `unit` is that of the values.
    """

    metric: str
    title: str
    unit: str = ""
    labels: dict[str, str] = {}


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """One state of a state timeline: the value that means it, and its word. `severity` is set if the state is bad."""

    value: float
    text: str
    severity: Severity | None = None


class States(msgspec.Struct, frozen=True, tag="states", omit_defaults=True):
    """A state timeline: the states of each series of a metric over the window.

    A value that is none of the `states` is shown as it is.
    """

    metric: str
    states: list[State]
    title: str


class Bars(msgspec.Struct, frozen=True, tag="bars", omit_defaults=True):
    """The newest value of each series as a bar, highest first: one or more metrics of one unit.

    After each bar is the value of the metric `beside` with the same labels. `max` is the end of the bars' scale.
    """

    metrics: list[str]
    title: str
    unit: str = ""
    limit: int = 10
    max: float | None = None
    beside: str = ""


TextTag = Literal[
    "p",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "li",
    "blockquote",
    "pre",
    "hr",
    "br",
    "code",
    "em",
    "strong",
    "s",
    "a",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
]
"""The elements of a text, named as in HTML."""


class HostColumn(msgspec.Struct, frozen=True, omit_defaults=True):
    """A column of the table of hosts: the ``of`` (highest, sum or mean) of the series of its metrics of each host.

    ``group`` is how a group's row takes its hosts together. With ``bar`` there is a bar up to the metric's ``max``.
    """

    metrics: list[str]
    title: str
    unit: str = ""
    of: Literal["max", "sum", "avg"] = "max"
    group: Literal["max", "sum", "avg"] = "avg"
    bar: bool = False
    note: str = ""


class Hosts(msgspec.Struct, frozen=True, tag="hosts", omit_defaults=True):
    """All hosts that a wall follows: a table with a row for each, the worst first, in groups by a label.

    Its data is ``GET /api/hosts``, the series with the label ``host``, and ``host_up``, 1 or 0. Without ``columns``
    they are those of the overview metrics.
    """

    title: str
    columns: list[HostColumn] = []
    group_by: str = ""


class TextElement(msgspec.Struct, frozen=True, omit_defaults=True):
    """An element of a text and what it contains.

    `href` is the address of a link: relative, or http, https or mailto. `start` is the first number of an ordered list,
    and `align` the alignment of a table's cell.
    """

    tag: TextTag
    content: list["TextNode"] = []
    href: str = ""
    start: int = 1
    align: Literal["left", "center", "right"] | None = None


TextNode = TextElement | str


class Text(msgspec.Struct, frozen=True, tag="text", omit_defaults=True):
    """A text, read from Markdown. It contains no HTML: its strings are shown as they are."""

    content: list[TextNode]
    title: str


class Row(msgspec.Struct, frozen=True, tag="row", omit_defaults=True):
    """Panels side by side. With a title they are a section, which the viewer folds and unfolds.

    `note` is shown beside the title; a `folded` section begins folded.
    """

    panels: list["Panel"]
    title: str = ""
    note: str = ""
    folded: bool = False


Panel = Card | Chart | Table | Heatmap | States | Bars | Text | Hosts | Row


class BoardInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything that the page needs before the first tick: ``GET /api/board``."""

    title: str
    epoch: str
    interval_ms: int
    window_size: int
    version: str
    metrics: list[MetricInfo]
    panels: list[Panel]
    rules: list[RuleInfo] = []
    problems: list[Problem] = []
    revision: int = 0


# --- server to client, over the WebSocket ---


class Initial(msgspec.Struct, frozen=True, tag="initial", omit_defaults=True):
    """The first message: the window, or only the missed ticks if ``resumed``."""

    data: list[Metric]
    epoch: str
    seq: int
    ticks: list[TickSpan]
    resumed: bool = False
    skipped: int = 0


class Metrics(msgspec.Struct, frozen=True, tag="metrics"):
    """One tick; series without a value at this tick are left out."""

    data: list[Metric]
    seq: int
    timestamp: str


class Amended(msgspec.Struct, frozen=True, tag="amended"):
    """Values of a tick that arrived after it was sent; its other values stay as they are."""

    data: list[Metric]
    seq: int
    timestamp: str


class SeriesInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """One series of a ``series`` message."""

    name: str
    unit: str
    labels: dict[str, str] = {}


class SeriesList(msgspec.Struct, frozen=True, tag="series"):
    """The series of the values in the next binary messages, in order; for clients of the binary subprotocol."""

    layout: int
    epoch: str
    series: list[SeriesInfo]


class Subscribed(msgspec.Struct, frozen=True, tag="subscribed"):
    """The answer to ``subscribe``."""

    metrics: list[str]


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The answer to a ``subscribe`` that asks for too much; the subscription stays as it was."""

    error: str


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """The answer to ``ping``."""

    timestamp: str


class BoardChanged(msgspec.Struct, frozen=True, tag="board"):
    """The board has changed.

    With another epoch, an ``initial`` message follows. With the same epoch, metrics were added or removed, and ticks
    continue.
    """

    board: BoardInfo


class SeriesChanged(msgspec.Struct, frozen=True, tag="series_changed", omit_defaults=True):
    """What has changed since the last ``series`` or ``series_changed``, whose layout was ``before``.

    ``removed`` are indices in the old list, in ascending order. After their removal, each series of ``added`` is
    inserted at its index in ``at``, which counts in the new list.
    """

    layout: int
    before: int
    epoch: str
    removed: list[int] = []
    at: list[int] = []
    added: list[SeriesInfo] = []


class PanelsChanged(msgspec.Struct, frozen=True, omit_defaults=True):
    """Changes to a list of panels, as in ``series_changed``; afterwards, the rows at ``rows_at`` change by ``rows``."""

    removed: list[int] = []
    at: list[int] = []
    added: list[Panel] = []
    rows_at: list[int] = []
    rows: "list[PanelsChanged]" = []


class MetricsChanged(msgspec.Struct, frozen=True, tag="metrics_changed", omit_defaults=True):
    """Metrics were added or removed since the board's revision ``before``.

    First remove the metrics named in ``removed``, then append ``added``, then change the panels.
    """

    epoch: str
    before: int
    revision: int
    removed: list[str] = []
    added: list[MetricInfo] = []
    panels: PanelsChanged = PanelsChanged()


class ProblemList(msgspec.Struct, frozen=True, tag="problems"):
    """The whole list of problems, sent when it changes; empty when all are fixed."""

    problems: list[Problem]


ServerMessage = (
    Initial
    | Metrics
    | Amended
    | SeriesList
    | SeriesChanged
    | Subscribed
    | Refused
    | Pong
    | BoardChanged
    | MetricsChanged
    | ProblemList
)

# --- client to server, over the WebSocket ---


class Subscribe(msgspec.Struct, frozen=True, tag="subscribe", omit_defaults=True):
    """Only these metrics from now on, by name, glob or label; none or an empty list: all. A string is one selector."""

    metrics: list[str] | str | None = None


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Asks for a ``pong``."""


ClientMessage = Subscribe | Ping

# --- server-sent events ---


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat"):
    """An unnamed event every 30 seconds, which shows proxies and clients that the stream is alive."""

    timestamp: str


class AlertPosition(msgspec.Struct, frozen=True, tag="position"):
    """The event named ``position`` at the start of an alert stream: which log it reads, and from which number.

    If ``whole``, all alerts that now fire were sent before it, and any other alert that the client knows is over.
    """

    epoch: str
    number: int
    whole: bool


# --- REST ---


class NotifierHealth(msgspec.Struct, frozen=True):
    """Counts of a notifier's alerts: sent, failed attempts, dropped."""

    sent: int
    failed: int
    dropped: int


class HealthReason(msgspec.Struct, frozen=True):
    """Why a board is degraded or failing: a problem in brief, without details that only its owner may see."""

    source: str
    message: str
    since: str


class TierHealth(msgspec.Struct, frozen=True):
    """What one tier of history holds: the time of its oldest entry, and its bytes in the file."""

    oldest: str | None
    bytes: int


class HistoryHealth(msgspec.Struct, frozen=True):
    """The state of the history, as of some seconds ago.

    ``raw`` are the recorded ticks, ``minutes`` and ``hours`` their rollups. ``series`` counts all series, including
    those that have left the board. ``queued`` counts the ticks that wait to be written. ``dropped`` counts the ticks
    and late values that could not be stored, and ``lost`` the damaged columns that were found, both since the start.
    """

    raw: TierHealth
    minutes: TierHealth
    hours: TierHealth
    file_bytes: int
    series: int
    queued: int
    dropped: int
    lost: int


class RemoteWriteHealth(msgspec.Struct, frozen=True):
    """The state of remote write: how many samples the receiver has accepted and refused since the start.

    ``failed`` counts the requests that failed and were tried again. ``waiting`` is about how many samples wait, as of
    the last attempt, and ``behind_s`` the age of the oldest one in seconds.
    """

    sent: int
    refused: int
    failed: int
    waiting: int
    behind_s: float


class NatsHealth(msgspec.Struct, frozen=True):
    """The connection to NATS on which the board is published; all counts are since it was first wanted.

    ``dropped`` messages were not sent: there was no connection, too many waited, or they were too large. ``lost`` ones
    were received, but too many waited. ``calls`` are the open calls of walls, and ``calls_refused`` were too many.
    """

    connected: bool
    connections: int
    sent: int
    dropped: int
    received: int
    lost: int
    calls: int
    calls_refused: int


HealthStatus = Literal["ok", "degraded", "failing"]


class AuditEntry(msgspec.Struct, frozen=True):
    """Something that somebody did, or failed to do ``count`` times from ``first`` to ``last``."""

    first: str
    last: str
    what: Literal["login", "logout", "login failed", "refused", "token refused", "change", "users and tokens"]
    who: str
    address: str
    detail: str
    count: int


class AuditLog(msgspec.Struct, frozen=True):
    """``GET /api/audit``: what happened since the start, the newest first. Only where people log in."""

    entries: list[AuditEntry]


class Me(msgspec.Struct, frozen=True, omit_defaults=True):
    """``GET /api/me``: who makes the request, what they may do, and whether ``POST /logout`` logs them out.

    Where nobody logs in, the name is empty and the role ``admin``.
    """

    name: str
    role: Literal["viewer", "operator", "admin"]
    logout: bool = False


class HealthInBrief(msgspec.Struct, frozen=True):
    """``GET /api/health`` without a login, where people have to log in: for health checks."""

    status: HealthStatus


class Health(msgspec.Struct, frozen=True):
    """``GET /api/health``: whether ticks are published, the newest position, and delivery to viewers.

    ``failing``, with status 503: no tick was published for three intervals and at least three seconds.
    ``degraded``, with status 200: there is a problem, but ticks are published. All counts are since the start.
    ``delivery_ms`` is how long it took to write the last tick to all viewers. ``history`` is null if there is no
    history, and ``remote_write`` and ``nats`` if they are not used. ``host_values_dropped`` counts the late values of
    hosts for which the board has no tick; it is null if it follows none.
    """

    status: HealthStatus
    reasons: list[HealthReason]
    epoch: str
    seq: int
    ticks_skipped: int
    viewers: int
    subscriptions: int
    subscribers: int
    frames_sent: int
    bytes_sent: int
    frames_skipped: int
    viewers_stalled: int
    viewers_silent: int
    subscribers_stalled: int
    connections_refused: int
    requests_refused: int
    delivery_ms: float
    notifiers: dict[str, NotifierHealth] = {}
    history: HistoryHealth | None = None
    remote_write: RemoteWriteHealth | None = None
    nats: NatsHealth | None = None
    host_values_dropped: int | None = None


class PushedMetric(msgspec.Struct, frozen=True, omit_defaults=True):
    """One pushed sample: ``POST /api/metrics``.

    For a counter, the value is the increase; for a histogram, an observation. Only a gauge may have a timestamp: RFC
    3339 with an offset, or POSIX seconds or milliseconds.
    """

    name: str
    value: float | None
    unit: str = ""
    timestamp: str | float | None = None
    labels: dict[str, str] = {}
    kind: MetricKind = "gauge"
    title: str = ""


class PushAccepted(msgspec.Struct, frozen=True):
    """All samples of the body were accepted."""

    accepted: int


class PushRefused(msgspec.Struct, frozen=True):
    """Some samples are of series that the board refuses; the others were accepted."""

    error: str
    accepted: int
    refused: int


class AlertPage(msgspec.Struct, frozen=True, omit_defaults=True):
    """``GET /api/alerts``: alerts, newest first; ``next`` is the ``before`` of the page after this one."""

    alerts: list[Alert]
    total: int
    next: int | None = None


class AlertSpan(msgspec.Struct, frozen=True, omit_defaults=True, rename={"start": "from", "end": "to"}):
    """Alerts of one severity that began in the same step of time: from the first beginning to the last end.

    Without ``to``, one of them fires.
    """

    severity: Severity
    start: str
    alerts: int
    end: str | None = None


class AlertSpans(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """``GET /api/alerts/spans``: when alerts fired in a range of time, in the order of their beginnings.

    ``step_ms`` is the length of the steps in which alerts are taken together.
    """

    start: str
    end: str
    step_ms: int
    spans: list[AlertSpan]


HistoryTier = Literal["raw", "minutes", "hours"]
"""The source of the buckets in a history answer: ticks, or their rollups."""


class SeriesBuckets(msgspec.Struct, frozen=True, omit_defaults=True):
    """One series of a history answer, from its first value in the range to its last.

    The lists have the same length: when each bucket begins, its lowest, highest and mean value, and its number of
    values; null and 0 where the series has none. Those that were not asked for with ``stats`` are left out.
    """

    name: str
    labels: dict[str, str]
    unit: str
    times: list[str]
    min: list[float | None] = []
    max: list[float | None] = []
    avg: list[float | None] = []
    count: list[int] = []


class HistoryAnswer(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """``GET /api/history``: the recorded values from one time to just before another, in buckets of ``resolution_ms``.

    A single tick is a bucket of one. Buckets in which nothing was recorded are left out.
    """

    start: str
    end: str
    resolution_ms: int
    tier: HistoryTier
    series: list[SeriesBuckets]


class SeriesChange(msgspec.Struct, frozen=True):
    """How one series differs between two ranges of time.

    ``score`` is above 0 and at most 1. ``before`` and ``after`` are its average in the baseline and in the range, null
    where it has no value. ``factor`` is ``after`` divided by ``before``, null if one of them is missing or 0, or their
    signs differ.
    """

    name: str
    labels: dict[str, str]
    unit: str
    score: float
    before: float | None
    after: float | None
    factor: float | None


_RANGES = {"start": "from", "end": "to", "baseline_start": "baseline_from", "baseline_end": "baseline_to"}


class ChangesAnswer(msgspec.Struct, frozen=True, rename=_RANGES):
    """``GET /api/changes``: the series that differ between a range of time and a baseline, the highest score first.

    ``tier`` is what was compared: ticks, or the averages of minutes or hours. ``compared`` is the number of series that
    have enough values to be compared, and ``changed`` how many of them differ. ``changes`` has ``limit`` of those at
    most.
    """

    start: str
    end: str
    baseline_start: str
    baseline_end: str
    tier: HistoryTier
    compared: int
    changed: int
    changes: list[SeriesChange]


class About(msgspec.Struct, frozen=True, omit_defaults=True):
    """``GET /api/about``: what a wall needs to know of a host.

    ``name`` is unique among the hosts that a wall follows. ``id`` is that of the log of alerts, which tells two hosts
    of one name apart. ``protocol`` is the version of the messages between hosts and walls. ``labels`` are set by the
    host's owner, such as ``env=prod``. ``metrics`` are those of the overview, and ``rules`` the rules on them.
    ``series`` are the series of the next binary messages about the overview, on NATS. ``started`` is when the board
    started, and ``booted`` when its machine did, empty if that is unknown.
    """

    name: str
    id: str
    version: str
    protocol: int
    title: str
    interval_ms: int
    labels: dict[str, str] = {}
    metrics: list[MetricInfo] = []
    rules: list[RuleInfo] = []
    series: SeriesList | None = None
    started: str = ""
    booted: str = ""
    keeps_history: bool = True


HostState = Literal["waiting", "live", "gone", "left"]
"""``waiting``: not heard from since the wall started. ``gone``: silent for too long. ``left``: it said goodbye."""


class TimeRange(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """A range of time."""

    start: str
    end: str


class HostInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A host, as the wall that follows it knows it.

    ``since`` is when its state began, and ``seen`` when it was last heard from, both by the wall's clock. ``clock_s``
    is by how many seconds its clock is ahead of the wall's, 0 if that does not matter. While a hole in its ticks is
    filled, ``filling`` is the range. ``address`` and ``kind`` say how it is reached. ``problem`` is what somebody has
    to fix.
    """

    name: str
    state: HostState
    since: str
    seen: str = ""
    labels: dict[str, str] = {}
    title: str = ""
    version: str = ""
    interval_ms: int = 0
    clock_s: float = 0.0
    filling: TimeRange | None = None
    started: str = ""
    booted: str = ""
    address: str = ""
    kind: Literal["http", "nats"] = "nats"
    problem: str = ""


class HostList(msgspec.Struct, frozen=True, omit_defaults=True):
    """``GET /api/hosts``: the hosts that a wall follows, by name; with ``since``, those that have changed after it.

    ``revision`` is the ``since`` of the next question, and ``removed`` names the hosts that were forgotten. ``rules``
    are those of the hosts on their overview metrics, each once. With ``whole``, all hosts are in the list, and any
    other that the client knows was forgotten.
    """

    revision: int
    hosts: list[HostInfo]
    removed: list[str] = []
    rules: list[RuleInfo] = []
    whole: bool = False


class AcknowledgeAlert(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """``POST /api/alerts/{id}/ack``."""

    note: str = ""
    by: str = ""


class AcknowledgeAlerts(AcknowledgeAlert, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """``POST /api/alerts/ack``: the same for several alerts."""

    ids: list[str]


class SilenceAlert(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """``POST /api/alerts/{id}/silence``: for a duration such as ``1h``, or until the alert is resolved.

    ``0s`` ends a silence. The scope says whether it covers the alert's series or all series of its rule.
    """

    duration: str = ""
    reason: str = ""
    by: str = ""
    until: Literal["resolved"] | None = None
    scope: SilenceScope = "series"


class SilenceAlerts(SilenceAlert, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """``POST /api/alerts/silence``: the same for several alerts."""

    ids: list[str]


class RefusedAlert(msgspec.Struct, frozen=True):
    """Why an alert of several could not be acknowledged or silenced."""

    id: str
    error: str


class ChangedAlerts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of several alerts: those that were acknowledged or silenced, as they are now, and the refused ones.

    ``kept`` is false if the changes are in force, but the log of alerts cannot be written.
    """

    alerts: list[Alert]
    refused: list[RefusedAlert]
    kept: bool = True


class NewMark(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """``POST /api/marks``: both times are RFC 3339, ages such as ``-15m``, or ``now``."""

    text: str
    timestamp: str = "now"
    until: str | None = None
    by: str = ""


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every error response."""

    error: str


encode = msgspec.json.Encoder().encode


def timestamp(time: float) -> str:
    """Return POSIX seconds as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
