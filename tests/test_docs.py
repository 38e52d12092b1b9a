"""Every endpoint, public name and key is documented, and the examples in the docs match the real ones."""

import json
import pkgutil
import re
from pathlib import Path

import pytest
from starlette.routing import Mount, Route, WebSocketRoute

import tickboard
from tickboard import Board
from tickboard.access.route_table import HOST_BOARD
from tickboard.cli.dashboard_file import load_board
from tickboard.cli.main import app
from tickboard.cli.serving_options import Options
from tickboard.configuration.config import config_schema, parse_config
from tickboard.expressions.expr import STATS
from tickboard.fleet.follower import INTERRUPTED_INTERVALS, INTERRUPTED_S, UNSEEN_BEATS, UNSEEN_TICKS
from tickboard.fleet.nats_connection import NatsConnection
from tickboard.fleet.nats_link import MAX_HELD
from tickboard.fleet.nats_options import NatsOptions, read_servers
from tickboard.fleet.publisher import NAME
from tickboard.problems import Problems
from tickboard.settings import Settings

ROOT = Path(__file__).parents[1]
FOLDERS = ("src", "tests", "tools", "benchmarks", "examples")
README = (ROOT / "README.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
CONFIG = (ROOT / "docs" / "config.md").read_text()
REFERENCE = (ROOT / "docs" / "dashboard-file.md").read_text()


def test_the_flags_in_the_deployment_recipes_exist() -> None:
    recipes = (ROOT / "docs" / "deploy.md").read_text()
    [unit] = re.findall(r"^ExecStart=/opt/tickboard/bin/(tickboard run .*)$", recipes, re.MULTILINE)
    [command] = re.findall(r"^CMD (\[.*\])$", recipes, re.MULTILINE)
    for words in (unit.split(), json.loads(command)):
        assert words[:2] == ["tickboard", "run"]
        flags = {word for word in words if word.startswith("--")}
        assert flags <= {f"--{name.replace('_', '-')}" for name in Options.__struct_fields__}
    assert re.findall(r"^HEALTHCHECK .* CMD (.*)$", recipes, re.MULTILINE) == ['["tickboard", "health"]']
    assert "health" in app.commands


def test_every_endpoint_is_in_the_protocol() -> None:
    board = Board()
    board.prepare(Settings())
    paths = []
    for route in board._require_live().app.routes:
        assert isinstance(route, Route | WebSocketRoute | Mount)
        # Below a host there is what a board has.
        if route.path not in {"/", "/assets", "/{path:path}"} and not route.path.startswith(f"{HOST_BOARD}/"):
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
    for definition in ("RuleTable", "NotifierTable", "HistoryTable"):
        keys = list(config_schema()["$defs"][definition]["properties"])
        assert [key for key in keys if f"\n| `{key}` |" not in CONFIG] == []
    assert [stat for stat in STATS if f"`{stat}`" not in CONFIG] == []


def test_the_example_configuration_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_URL", "json://127.0.0.1:9/")
    example = CONFIG.split("```toml\n")[1].split("```")[0]
    config = parse_config(example.encode(), "docs/config.md")
    board = load_board(ROOT / "examples" / "dashboard.py")
    board.apply_config(config)
    board.prepare(Settings())
    assert [service.destination.name for service in board.notifiers] == ["ops"]
    assert [rule.name for rule in board.describe().rules] == ["cpu_usage", "avg_latency", "busy", "queue.depth"]


def test_the_readme_contains_the_example_verbatim() -> None:
    assert (ROOT / "examples" / "dashboard.py").read_text() in README


def test_the_tutorial_builds_the_example() -> None:
    tutorial = (ROOT / "docs" / "tutorial.md").read_text()
    _, _, code = (ROOT / "examples" / "shop.py").read_text().partition('"""\n\n')
    assert [line for line in code.splitlines() if line not in tutorial.splitlines()] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"])
def test_the_links_of_the_pages_beside_the_docs_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    targets = re.findall(r'(?:\]\(|src(?:set)?=")(?!https?:)([^)#"]+)', text)
    assert [target for target in targets if not (ROOT / target).exists()] == []
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]+\.md)#([^)]+)\)", text):
        headings = re.findall(r"^#+ (.+)$", (ROOT / target).read_text(), re.MULTILINE)
        names = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert anchor in names, f"{page} links to {target}#{anchor}"


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_and_modules_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    files = {f"/{path}" for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    named = set(re.findall(r"`([a-z_/]+\.py)`", text)) - {"shop.py"}
    assert [name for name in named if not any(file.endswith(f"/{name}") for file in files)] == []
    formats = {"tickboard.toml", "tickboard.v1", "tickboard.v2", "tickboard.history.v1"}
    # Names that begin with tickboard.host are subjects of NATS.
    for name in set(re.findall(r"`(tickboard(?:\.(?!hosts?\b)\w+)+)", text)) - formats:
        pkgutil.resolve_name(name)


def test_every_problem_with_nats_is_in_the_docs() -> None:
    connection = NatsConnection(NatsOptions(read_servers("nats://a", {})), "test", Problems(), "nothing is published")
    text = (ROOT / "docs" / "publishing.md").read_text()
    assert [source for source in (*connection._sources, NAME) if f"| `{source}` |" not in text] == []


def test_the_docs_say_when_ticks_of_a_host_are_missing() -> None:
    text = " ".join((ROOT / "docs" / "fleet-protocol.md").read_text().split())
    assert (UNSEEN_BEATS, INTERRUPTED_INTERVALS, INTERRUPTED_S) == (3, 2, 0.5)
    assert "No tick has arrived for more than two intervals and half a second" in text
    assert f"Three beats in a row have a `seq` that is ahead of the newest tick by {UNSEEN_TICKS} or more" in text
    assert f"keeps the newest {MAX_HELD} such messages" in text
