"""The TypeScript types: the page's compiler accepts exactly what msgspec writes."""

import inspect
import subprocess
from pathlib import Path

import msgspec
import pytest

import page
import typescript
from tickboard import wire

CLIENT = page.CLIENT
T = "2026-01-31T12:00:00.000Z"

METRIC = wire.Metric("cpu_usage", 41.5, "%", T, {"host": "a"})
ACKNOWLEDGEMENT = wire.Acknowledgement(T, "ann", "on it")
SILENCE = wire.Silence("cpu_usage", T, "upgrade", T, {"host": "a"}, "ann")
ALERT = wire.Alert(
    "1",
    "CPU",
    "critical",
    T,
    "cpu_usage",
    {"host": "a"},
    99.0,
    T,
    "cpu_usage",
    T,
    T,
    99.5,
    90.0,
    "no data",
    ACKNOWLEDGEMENT,
    SILENCE,
)
STATS = wire.Stats(1.0, 2.0, 0.5, 3, 1.0, 1.0, 2.0, 2.0)
CARD = wire.Card("cpu_usage", "CPU")
CHART = wire.Chart(["cpu_usage"], "CPU", "%", 0.0, 100.0, stacked=True)
PROBLEM = wire.Problem("sampler", "boom", T, ["cpu_usage"], "board.py", 3, "Traceback")
INFO = wire.MetricInfo("cpu_usage", "CPU", "%", "gauge", ["host"], 0.0, 100.0)
RULE = wire.RuleInfo("cpu_usage > 90", "CPU", "critical", "cpu_usage", 90.0)
STATE = wire.State(0.0, "down", "critical")
TEXT = wire.TextElement("p", ["a", wire.TextElement("a", ["b"])], "https://wiki.example.com", 3, "right")
BOARD = wire.BoardInfo("Live", "e", 1000, 60, "0.1.0", [INFO], [CARD, wire.Row([CHART], "Row")], [RULE], [PROBLEM], 1)
ABOUT = wire.About(
    "web-1",
    "87ace54a7fb1",
    "1.0",
    1,
    "Shop",
    1000,
    {"env": "prod"},
    [wire.MetricInfo("cpu_usage", "CPU", "%", "gauge", ["core"], 0.0, 100.0, overview=True)],
    [wire.RuleInfo("cpu_usage > 90", "m", "critical", "cpu_usage", 90.0, "cpu")],
    wire.SeriesList(1, "e", [wire.SeriesInfo("cpu_usage", "%", {"core": "0"})]),
    T,
    T,
    keeps_history=False,
)
HOST = wire.HostInfo(
    "web-1",
    "live",
    T,
    T,
    {"env": "prod"},
    "Shop",
    "1.0",
    1000,
    4.2,
    wire.TimeRange(T, T),
    T,
    T,
    "http://web-1:3000",
    "http",
    "two hosts have this name",
)
CHANGE = wire.SeriesChange("cpu_usage", {"host": "a"}, "%", 0.75, None, 3.5, None)

HISTORY = wire.SeriesBuckets("cpu_usage", {"host": "a"}, "%", [T, T], [1.0, None], [2.0, None], [1.5, None], [9, 0])
PANELS_CHANGED = wire.PanelsChanged([0], [1], [CARD], [2], [wire.PanelsChanged([0])])

AUDITED = wire.AuditEntry(T, T, "login failed", "ann", "192.0.2.1", "by password", 2)
SPAN = wire.AlertSpan("critical", T, 2, T)

RANGE = wire.TimeRange(T, T)
COLUMN = wire.HostColumn(["net_received_rate"], "Network", "B/s", "sum", "sum", bar=True, note="of all")
HOST = wire.HostInfo(
    *("web-1", "gone", T, T, {"env": "prod"}, "Shop", "0.1.0", 1000, 4.2),
    *(RANGE, T, T, "http://web-1:3000", "http", "no token"),
)

FULL: list[msgspec.Struct] = [
    METRIC,
    ACKNOWLEDGEMENT,
    SILENCE,
    ALERT,
    STATS,
    CARD,
    CHART,
    PROBLEM,
    INFO,
    RULE,
    BOARD,
    wire.TickSpan(1, T, 1),
    wire.Row([CARD, wire.Row([CHART])], "Row"),
    wire.Table(["process_cpu"], "process", "Top processes", 20),
    STATE,
    wire.States("up", [STATE], "Services"),
    wire.Bars(["disk"], "Disk space", "%", 5, 100.0, "disk_full_in"),
    TEXT,
    wire.Text(["a", TEXT], "On call"),
    wire.Heatmap("latency", "Latency", "ms", {"route": "/"}),
    wire.Initial([METRIC], "e", 1, [wire.TickSpan(1, T, 1)], resumed=True, skipped=2),
    wire.Metrics([METRIC], 1, T),
    wire.Amended([METRIC], 1, T),
    wire.SeriesInfo("cpu_usage", "%", {"host": "a"}),
    wire.SeriesList(1, "e", [wire.SeriesInfo("cpu_usage", "%", {"host": "a"})]),
    wire.SeriesChanged(2, 1, "e", [0], [3], [wire.SeriesInfo("cpu_usage", "%", {"host": "a"})]),
    PANELS_CHANGED,
    wire.MetricsChanged("e", 1, 2, ["cpu_usage"], [INFO], wire.PanelsChanged([0], [1], [CARD], [2], [PANELS_CHANGED])),
    wire.Subscribed(["cpu_usage"]),
    wire.Refused("a subscription has 101 globs"),
    wire.Pong(T),
    wire.BoardChanged(BOARD),
    wire.ProblemList([PROBLEM]),
    wire.Subscribe(["cpu_usage"]),
    wire.Ping(),
    wire.Heartbeat(T),
    wire.AlertPosition("e", 3, whole=True),
    wire.Me("ann", "operator", logout=True),
    wire.AuditLog([AUDITED]),
    AUDITED,
    wire.HealthInBrief("ok"),
    ABOUT,
    wire.HostColumn(["net_rate"], "Network", "B/s", "sum", "sum", bar=True, note="in and out"),
    wire.Hosts("Hosts", [wire.HostColumn(["cpu_usage"], "CPU")], "env"),
    HOST,
    wire.TimeRange(T, T),
    wire.HostList(7, [HOST], ["web-2"], ABOUT.rules),
    wire.NotifierHealth(1, 2, 3),
    wire.HealthReason("s", "m", T),
    wire.TierHealth(None, 0),
    wire.HistoryHealth(wire.TierHealth(T, 1), wire.TierHealth(T, 2), wire.TierHealth(T, 3), 4, 5, 6, 7, 8),
    wire.RemoteWriteHealth(1, 2, 3, 4, 5.5),
    wire.NatsHealth(True, 1, 2, 3, 4, 5, 6, 7),
    wire.Health(
        "ok",
        [wire.HealthReason("s", "m", "t")],
        "e",
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        11,
        12,
        13,
        0.5,
        {"ops": wire.NotifierHealth(1, 2, 3)},
        wire.HistoryHealth(wire.TierHealth(T, 1), wire.TierHealth(None, 0), wire.TierHealth(None, 0), *range(2, 7)),
        wire.RemoteWriteHealth(1, 2, 3, 4, 5.5),
        wire.NatsHealth(True, 1, 2, 3, 4, 5, 6, 7),
    ),
    HISTORY,
    wire.HistoryAnswer(T, T, 1000, "raw", [HISTORY]),
    wire.Mark("m", "deployed 1.4", T, "ci", T),
    wire.NewMark("deployed 1.4", T, T, "ci"),
    CHANGE,
    wire.ChangesAnswer(T, T, T, T, "minutes", 9, 1, [CHANGE]),
    wire.PushedMetric("queue", 3.0, "jobs", T, {"host": "a"}, "counter", "Queue"),
    wire.PushAccepted(3),
    wire.PushRefused("too many series", 3, 2),
    wire.AlertPage([ALERT], 3, 17),
    SPAN,
    wire.AlertSpans(T, T, 1000, [SPAN]),
    wire.AcknowledgeAlert("on it", "ann"),
    wire.AcknowledgeAlerts("on it", "ann", ids=["a"]),
    wire.SilenceAlert("1h", "upgrade", "ann", "resolved", "rule"),
    wire.SilenceAlerts("1h", "upgrade", "ann", "resolved", "rule", ids=["a"]),
    wire.RefusedAlert("a", "it is over"),
    wire.ChangedAlerts([ALERT], [wire.RefusedAlert("a", "it is over")], kept=False),
    wire.ErrorBody("count: give a whole number"),
    RANGE,
    COLUMN,
    wire.Hosts("Hosts", [COLUMN], "env"),
    HOST,
    wire.HostList(3, [HOST], ["web-2"], [RULE], whole=True),
    wire.About(
        *("web-1", "e", "0.1.0", 1, "Shop", 1000, {"env": "prod"}, [INFO], [RULE]),
        *(wire.SeriesList(1, "e", [wire.SeriesInfo("cpu_usage", "%", {"core": "0"})]), T, T),
        keeps_history=False,
    ),
]
"""One value of every Struct, with every optional field set."""


def bare(value: msgspec.Struct) -> msgspec.Struct:
    """Return the value with only its required fields; the others have their defaults."""
    required = {field.name: getattr(value, field.name) for field in msgspec.structs.fields(value) if field.required}
    return type(value)(**required)


def constant(index: int, kind: str, value: object) -> str:
    return f"export const x{index}: wire.{kind} = {msgspec.json.encode(value).decode()};"


def tsc(folder: Path, lines: list[str]) -> subprocess.CompletedProcess[str]:
    """Compile the lines as a module that imports the wire types as `wire`."""
    (folder / "types.gen.ts").write_text(typescript.generate(), encoding="utf-8")
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    source = "\n".join(['import type * as wire from "./types.gen";', *lines, ""])
    (folder / "examples.ts").write_text(source, encoding="utf-8")
    flags = ["--strict", "--noEmit", "--pretty", "false", "--module", "esnext", "--moduleResolution", "bundler"]
    return subprocess.run(
        [str(CLIENT / "node_modules" / ".bin" / "tsc"), *flags, "--types", "", "examples.ts"],
        cwd=folder,
        env=page.find_node().environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_there_is_an_example_of_every_struct() -> None:
    structs = {value for _, value in inspect.getmembers(wire, inspect.isclass) if issubclass(value, msgspec.Struct)}
    assert {type(value) for value in FULL} == structs


def test_the_compiler_accepts_what_msgspec_writes(tmp_path: Path) -> None:
    values = [*FULL, *(bare(value) for value in FULL)]
    lines = [constant(index, type(value).__name__, value) for index, value in enumerate(values)]
    lines.append(f"export const messages: wire.ServerMessage[] = {encoded_members(wire.ServerMessage)};")
    lines.append(f"export const answers: wire.ClientMessage[] = {encoded_members(wire.ClientMessage)};")
    result = tsc(tmp_path, lines)
    assert result.stdout == ""
    assert result.returncode == 0


def encoded_members(union: object) -> str:
    members = msgspec.inspect.multi_type_info([union])[0]
    assert isinstance(members, msgspec.inspect.UnionType)
    classes = {member.cls for member in members.types if isinstance(member, msgspec.inspect.StructType)}
    return msgspec.json.encode([value for value in FULL if type(value) in classes]).decode()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param("Metric", {"name": "a", "value": 1, "unit": "%"}, id="a field is missing"),
        pytest.param("Metric", {"name": "a", "value": "1", "unit": "%", "timestamp": T}, id="a string for a number"),
        pytest.param("Alert", {"id": "1", "message": "", "severity": "fatal", "timestamp": T}, id="no such severity"),
        pytest.param("Alert", {"id": "1", "message": "", "severity": "info", "timestamp": T, "value": None}, id="null"),
        pytest.param("ServerMessage", {"type": "ping"}, id="a client's message from the server"),
        pytest.param("Panel", {"type": "gauge", "metric": "a", "title": "A"}, id="no such tag"),
        pytest.param("Pong", {"type": "pong", "timestamp": T, "more": 1}, id="a field too many"),
    ],
)
def test_the_compiler_refuses_what_msgspec_never_writes(tmp_path: Path, kind: str, value: object) -> None:
    result = tsc(tmp_path, [constant(0, kind, value)])
    assert "examples.ts(2," in result.stdout
    assert result.returncode != 0


def test_a_none_that_is_always_written_is_null(tmp_path: Path) -> None:
    module = tmp_path / "wire.py"
    module.write_text(
        "import msgspec\n\n\nclass Point(msgspec.Struct):\n"
        "    value: float | None\n    texts: list[str | None]\n    unit: str | None = None\n",
        encoding="utf-8",
    )
    assert typescript.generate(module).endswith(
        "export interface Point {\n  value: number | null;\n  texts: (string | null)[];\n  unit: string | null;\n}\n"
    )


def test_an_unsupported_type_is_named_in_the_error(tmp_path: Path) -> None:
    module = tmp_path / "wire.py"
    module.write_text("import msgspec\n\n\nclass Point(msgspec.Struct):\n    value: complex\n", encoding="utf-8")
    with pytest.raises(TypeError, match="complex"):
        typescript.generate(module)


def test_the_generated_types_of_the_page_are_up_to_date() -> None:
    assert typescript.is_current(page.TYPES, typescript.generate()), "run: make page"


def test_docstrings_are_copied() -> None:
    assert "/** The answer to `ping`. */\nexport interface Pong {" in typescript.generate()
