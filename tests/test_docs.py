"""Every flag, environment variable, endpoint and public name is documented."""

import dataclasses
import inspect
from pathlib import Path

import pytest
from starlette.routing import Mount, Route, WebSocketRoute

import tickboard
from tickboard import Board
from tickboard.cli import Options, host, pipe
from tickboard.configuration.config import config_schema, parse_config
from tickboard.dashboard_file import load_board
from tickboard.expressions.expr import STATS
from tickboard.server.app import create_app
from tickboard.settings import BOUNDS, Settings
from tickboard.teller import Teller

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
CONFIG = (ROOT / "docs" / "config.md").read_text()
REFERENCE = (ROOT / "docs" / "dashboard-file.md").read_text()


@pytest.mark.parametrize("field", dataclasses.fields(Options), ids=lambda field: field.name)
def test_every_flag_is_in_the_readme(field: "dataclasses.Field[object]") -> None:
    assert f"`--{field.name.replace('_', '-')}`" in README


@pytest.mark.parametrize(
    "flag", [name for command in (host, pipe) for name in inspect.signature(command).parameters if name != "options"]
)
def test_every_flag_of_a_command_of_its_own_is_in_the_readme(flag: str) -> None:
    assert f"--{ {'form': 'format'}.get(flag, flag) }" in README


@pytest.mark.parametrize("variable", list(BOUNDS))
def test_every_environment_variable_is_in_the_readme_with_its_default(variable: str) -> None:
    defaults = dict(zip(BOUNDS, dataclasses.astuple(Settings()), strict=True))
    [line] = [line for line in README.splitlines() if f"`{variable}`" in line]
    assert f"| {defaults[variable]} |" in line


def test_every_endpoint_is_in_the_protocol() -> None:
    board = Board()
    board.prepare(Settings())
    paths = []
    for route in create_app(board.hub, board.intake, Teller(board.hub).act, lambda: 0).routes:
        assert isinstance(route, Route | WebSocketRoute | Mount)
        if route.path not in {"/", "/assets", "/{path:path}"}:
            paths.append(route.path)
    assert len(paths) >= 7
    assert [path for path in paths if f"{path}`" not in PROTOCOL and f"{path}?" not in PROTOCOL] == []


@pytest.mark.parametrize("name", tickboard.__all__)
def test_every_public_name_is_in_the_reference(name: str) -> None:
    assert f"`{name}" in REFERENCE


@pytest.mark.parametrize("name", [name for name in vars(Board) if not name.startswith("_")])
def test_every_method_of_a_board_is_in_the_reference(name: str) -> None:
    assert f"board.{name}" in REFERENCE or f"`{name}" in REFERENCE


def test_every_key_of_the_configuration_and_every_stat_is_documented() -> None:
    for definition in ("RuleTable", "NotifierTable"):
        keys = list(config_schema()["$defs"][definition]["properties"])
        assert [key for key in keys if f"\n| `{key}` |" not in CONFIG] == []
    assert [stat for stat in STATS if f"`{stat}`" not in CONFIG] == []


def test_the_example_of_a_configuration_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_URL", "json://127.0.0.1:9/")
    example = CONFIG.split("```toml\n")[1].split("```")[0]
    config = parse_config(example.encode(), "docs/config.md")
    board = load_board(ROOT / "examples" / "dashboard.py")
    board.apply(config)
    board.prepare(Settings())
    assert [service.destination.name for service in board.notifiers] == ["ops"]
    assert [rule.name for rule in board.describe().rules] == ["cpu_usage", "avg_latency", "busy", "queue.depth"]


def test_the_readme_shows_the_example_as_it_is() -> None:
    assert (ROOT / "examples" / "dashboard.py").read_text() in README
