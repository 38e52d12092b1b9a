"""Names of the package are imported on first use, and a program that only sends loads no server."""

import ast
import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest

import tickboard
from tickboard.cli.imports import imports
from tickboard.server.later import LATER

EXAMPLE = Path(__file__).parents[1] / "examples" / "dashboard.py"

SERVER = ("numpy", "starlette", "uvicorn", "apprise", "psutil")

HEAVY = (*SERVER, "websockets")

SELDOM = ("apprise", "httpx", "google.protobuf", "nats", "nkeys")
"""Modules that a board loads only for notifiers, scrape targets, OTLP or NATS."""

UNASKED = (
    "tickboard.cli.dev",
    "tickboard.cli.history",
    "tickboard.cli.host_board",
    "tickboard.client.decoder",
    "tickboard.fleet.publisher",
    "tickboard.configuration.formula",
    "tickboard.markdown",
    "tickboard.sending.sender",
    "tickboard.sources.host",
    "tickboard.sources.pipe",
    "tickboard.sources.prometheus.scrape",
    "tickboard.sources.statsd",
    "tomllib",
    "difflib",
    "markdown_it",
)
"""Modules of commands that were not given, and of what a dashboard file has not declared."""


def loaded(program: str, names: tuple[str, ...] = HEAVY) -> list[str]:
    """Return the modules out of `names` that a program has loaded at its end."""
    report = f"\nimport json, sys; print(json.dumps([name for name in {names!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program + report], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


def test_the_names_for_editors_match_the_lazy_imports() -> None:
    tree = ast.parse(Path(tickboard.__file__).read_text(encoding="utf-8"))
    seen = {
        (alias.name, statement.module)
        for block in tree.body
        if isinstance(block, ast.If)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert seen == set(tickboard._HOMES.items())
    assert sorted(name for name, _ in seen) == tickboard.__all__


@pytest.mark.parametrize("name", tickboard.__all__)
def test_each_public_name_can_be_imported(name: str) -> None:
    # One is the name of a folder, too.
    assert getattr(tickboard, name).__name__.removeprefix("tickboard.") == name
    assert name in dir(tickboard)


def test_an_unknown_name_raises_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'tickboard' has no attribute 'Bord'"):
        _ = tickboard.Bord


@pytest.mark.parametrize(
    "program",
    [
        "import tickboard",
        "import tickboard; tickboard.push('http://127.0.0.1:1').gauge('load').set(1)",
        "import tickboard; tickboard.connect",
        "from tickboard import push, connect, Tick, InputError",
    ],
)
def test_a_program_that_only_sends_or_imports_connect_loads_no_server(program: str) -> None:
    assert loaded(program) == []


def test_importing_connect_does_not_load_asyncio() -> None:
    assert loaded("import tickboard; tickboard.connect", ("asyncio",)) == []


def test_connecting_loads_websockets_but_no_server() -> None:
    program = "import tickboard; tickboard.connect('http://127.0.0.1:1')"
    assert loaded(program, (*SERVER, "websockets")) == ["websockets"]


def test_a_board_starts_without_rarely_used_modules() -> None:
    assert loaded("import tickboard.cli.serving", SELDOM) == []


def test_help_and_completion_load_no_board() -> None:
    assert loaded("import tickboard.cli.main", (*HEAVY, "tickboard.board", "tickboard.history")) == []


def test_the_greeting_waits_for_no_module_that_is_only_needed_later() -> None:
    names = (*SELDOM, *LATER, *UNASKED)
    program = f"""
import json, os, sys
before = set(sys.modules)  # the measurement of coverage loads some
from tickboard.cli import serving
from tickboard.cli.main import app
def greeted(*lines):
    loaded = sys.modules.keys() - before
    os.write(1, json.dumps([lines[0], *(name for name in {names!r} if name in loaded)]).encode())
    os._exit(0)
serving.say = greeted
app.main(["run", {str(EXAMPLE)!r}, "--port", "0", "--state", "none"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    greeting, *unneeded = json.loads(done.stdout)
    assert "is live at" in greeting
    assert unneeded == []


def test_modules_left_out_at_the_start_are_loaded_once_the_board_runs() -> None:
    program = """
import asyncio, sys
from tickboard import Board
from tickboard.server.later import LATER
async def main():
    async with Board().lifespan():
        while not all(name in sys.modules for name in LATER):
            await asyncio.sleep(0.01)
asyncio.run(main())
"""
    assert loaded(program, LATER) == list(LATER)


def test_the_collector_runs_again_after_imports_and_leaves_them_alone() -> None:
    frozen = gc.get_freeze_count()
    try:
        with imports():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()


def test_a_board_loads_numpy() -> None:
    assert "numpy" in loaded("import tickboard; tickboard.Board()")
