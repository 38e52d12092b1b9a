"""The reference pages contain every public name, command, flag, key, path and type of the product."""

import inspect

import msgspec
import pytest

import reference
import tickboard
from tickboard import Board
from tickboard.cli.main import app
from tickboard.cli.serving_options import Options
from tickboard.configuration.config import config_schema
from tickboard.server.routes.openapi import document
from tickboard.settings import BOUNDS, Settings


def test_the_python_reference_has_every_public_name() -> None:
    page = reference.python()
    places = {name: reference.HIDDEN.get(name, f"tickboard.{name}") for name in tickboard.__all__}
    assert [name for name, place in places.items() if f"::: {place}\n" not in page] == []


def test_a_public_name_without_a_heading_is_listed_under_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tickboard, "__all__", [*tickboard.__all__, "new"])
    assert reference.python().endswith("::: tickboard.new\n")
    assert "\n## More\n" in reference.python()


@pytest.mark.parametrize("name", [name for name in dir(Board) if not name.startswith("_")])
def test_every_method_of_a_board_has_a_docstring(name: str) -> None:
    assert inspect.getdoc(getattr(Board, name))


def test_the_reference_of_a_board_has_the_methods_that_it_inherits() -> None:
    inherited = {name for name in dir(Board) if not name.startswith("_")} - set(vars(Board))
    assert {"gauge", "counter", "histogram", "card", "chart", "row"} < inherited
    [line] = [line for line in reference.python().splitlines() if "inherited_members" in line]
    assert set(line.partition("[")[2].rstrip("]").split(", ")) == inherited


def test_the_command_line_reference_has_every_command_and_flag() -> None:
    page = reference.command_line()
    assert app.commands
    assert [name for name in app.commands if f"### tickboard {name}\n" not in page] == []
    assert "#### tickboard history forget\n" in page
    flags = [*Options.__struct_fields__, "scrape", "statsd", "title", "format"]
    assert [name for name in flags if f"`--{name.replace('_', '-')}" not in page] == []


@pytest.mark.parametrize("variable", list(BOUNDS))
def test_the_command_line_reference_has_every_variable_with_its_default(variable: str) -> None:
    defaults = dict(zip(BOUNDS, msgspec.structs.astuple(Settings()), strict=True))
    [line] = [line for line in reference.command_line().splitlines() if line.startswith(f"| `{variable}` |")]
    assert f"| {defaults[variable]} |" in line


def test_the_configuration_reference_has_every_key() -> None:
    page = reference.config()
    for definition in ("RuleTable", "NotifierTable"):
        keys = list(config_schema()["$defs"][definition]["properties"])
        assert [key for key in keys if f"\n| `{key}` |" not in page] == []


def test_the_http_reference_has_every_path_and_type() -> None:
    page = reference.http()
    described = document()
    wanted = [f"## {method.upper()} {path}\n" for path, methods in described["paths"].items() for method in methods]
    wanted += [f"### {name}\n" for name in described["components"]["schemas"]]
    assert [heading for heading in wanted if heading not in page] == []


def test_every_table_row_is_on_one_line() -> None:
    for page in (reference.command_line(), reference.config(), reference.http()):
        rows = [line for line in page.splitlines() if line.startswith("| ")]
        assert rows
        assert all(line.endswith(" |") for line in rows)
