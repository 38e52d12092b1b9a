"""Every code block in the documentation runs, or is checked by the product's own parsers."""

import contextlib
import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec
import pytest
from tests.docs.blocks import PAGES, ROOT, Block, blocks_in, blocks_of
from tests.serving import Server, serve

from tickboard.cli.main import app
from tickboard.configuration.config import parse_config
from tickboard.server.routes.openapi import document

CHECKED = {"python", "sh", "toml", "json", "yaml", "console", "sql"}
"""The languages of the blocks that this file checks."""

ELSEWHERE = {
    "text": "output, or a drawing",
    "nginx": "tests/proxies runs the recipes",
    "caddyfile": "tests/proxies runs the recipes",
    "apache": "tests/proxies runs the recipes",
    "haproxy": "tests/proxies runs the recipes",
    "nats": "tests/fleet/test_nats_recipes.py runs them",
    "ini": "tests/test_docs.py checks its command",
    "dockerfile": "tests/test_docs.py checks its commands",
}
"""The languages of blocks that are not checked here, and the reasons."""

SEPARATORS = {"|", "&&", "||", ";", "&"}

OTHERS = {
    *(
        "cd",
        "curl",
        "docker",
        "echo",
        "export",
        "git",
        "journalctl",
        "make",
        "nc",
        "openssl",
        "pip",
        "ping",
        "python",
        "python3",
        "sed",
    ),
    *("sqlite3", "systemctl", "uvicorn", "vmstat"),
}
"""Third-party commands that a shell block may contain."""

HANG_S = 150
"""A hang guard: the longest that a page may take to run."""

STREAMS = {"/ws/metrics", "/events/alerts", "/api/openapi.json"}
"""The paths that the OpenAPI document does not describe."""


def named(block: Block) -> str:
    return block.place


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A board for the pages that connect to one."""
    history = str(tmp_path_factory.mktemp("history") / "history.sqlite")
    with serve("run", str(ROOT / "examples" / "dashboard.py"), "--interval", "50", "--history", history) as server:
        yield server


PYTHON_PAGES = [page for page in PAGES if any(block.language == "python" for block in blocks_of(page))]


@pytest.mark.timeout(HANG_S + 30)
@pytest.mark.parametrize("page", PYTHON_PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_runs_from_top_to_bottom(page: Path, server: Server, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.docs.run_page", str(page), server.url.rstrip("/")],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("page done\n")


@pytest.mark.timeout(HANG_S + 30)
def test_an_error_in_a_page_fails_with_its_line(server: Server, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text('# A page\n\n```python\nfrom tickboard import Board\nboard = Board("x")\nboard.gaugge("y")\n```\n')
    with pytest.raises(AssertionError, match=r'page\.md:4", line 6'):
        test_the_python_of_a_page_runs_from_top_to_bottom(page, server, tmp_path)


def commands_of(block: Block) -> Iterator[list[str]]:
    """Yield the words of each command of a shell block, without its environment variables."""
    code = block.code.replace("\\\n", " ")
    lines = code.splitlines()
    if block.language == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    for line in lines:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        command: list[str] = []
        for word in [*lexer, ";"]:
            if word not in SEPARATORS:
                command.append(word)
                continue
            while command and re.fullmatch(r"[A-Z_]+=.*", command[0]):
                del command[0]
            if command:
                yield command
            command = []


def check_command(words: list[str]) -> None:
    """Raise an error if a command is invalid."""
    program, *rest = words
    for word in rest:
        if word.startswith("examples/"):
            assert (ROOT / word).exists(), word
    if program == "tickboard":
        called: click.Command = app
        while isinstance(called, click.Group) and rest and not rest[0].startswith("-"):
            assert rest[0] in called.commands, f"there is no command {rest[0]}"
            called, rest = called.commands[rest[0]], rest[1:]
        called.make_context(called.name, list(rest))  # raises for a mistake
    elif program == "sudo":
        assert rest[0] == "-u", words
        check_command([Path(rest[2]).name, *rest[3:]])
    elif program == "source":
        if rest != [".venv/bin/activate"]:
            check_command([word.strip("<()") for word in rest])
    elif program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in rest if "=" not in word} <= set(targets), words
        for arguments in (word.removeprefix("ARGS=") for word in rest if word.startswith("ARGS=")):
            if rest[0] == "run":
                check_command(["tickboard", *shlex.split(arguments)])
    elif program == "curl":
        for url in (urlsplit(word) for word in rest if re.match(r"http://(localhost|127\.0\.0\.1):3000", word)):
            known = {path.replace("{id}", "ID") for path in document()["paths"]} | STREAMS
            assert url.path in known, words
    else:
        assert program in OTHERS, f"{program} is a command that nothing here knows: is it spelled right?"


@pytest.mark.parametrize("block", blocks_in("sh", "console"), ids=named)
def test_the_commands_of_a_page_exist(block: Block) -> None:
    commands = list(commands_of(block))
    assert commands
    for command in commands:
        check_command(command)


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ("tickboard runn x.py", AssertionError, "there is no command runn"),
        ("tickboard run x.py --prot 3", click.NoSuchOption, "--prot"),
        ("tickboard run x.py y.py", click.UsageError, "y.py"),
        ("make nothing", AssertionError, "nothing"),
        ("curl http://localhost:3000/api/no", AssertionError, "/api/no"),
        ("tik", AssertionError, "tik is a command that nothing here knows"),
    ],
)
def test_an_invalid_command_is_found(line: str, error: type[Exception], message: str) -> None:
    [command] = commands_of(Block(ROOT / "x.md", 1, "sh", line, ""))
    with pytest.raises(error, match=re.escape(message)):
        check_command(command)


@pytest.mark.parametrize("block", blocks_in("toml"), ids=named)
def test_the_configuration_of_a_page_can_be_parsed(block: Block) -> None:
    parse_config(block.code.encode(), block.place)


@pytest.mark.parametrize("block", blocks_in("json"), ids=named)
def test_the_json_of_a_page_can_be_parsed(block: Block) -> None:
    json.loads(block.code)


@pytest.mark.parametrize("block", blocks_in("yaml"), ids=named)
def test_the_yaml_of_a_page_can_be_parsed(block: Block) -> None:
    assert msgspec.yaml.decode(block.code)


@pytest.mark.parametrize("block", blocks_in("sql"), ids=named)
def test_the_sql_of_a_page_is_run(block: Block) -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.executescript(block.code)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_has_a_language_and_a_reason_if_it_is_not_run(page: Path) -> None:
    for block in blocks_of(page):
        assert block.language in CHECKED | ELSEWHERE.keys(), f"{block.place}: give the language after the three quotes"
        assert not block.marker or block.not_run or block.endless, f"{block.place}: {block.marker!r} is no marker"
    fences = re.findall(r"^ *```", page.read_text(), re.MULTILINE)
    assert len(fences) == 2 * len(list(blocks_of(page)))
