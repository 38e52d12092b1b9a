"""The reference pages of the docs site, made from the product: Python, command line, tickboard.toml, HTTP.

Each function returns one page in Markdown. Nothing here is committed as text, so a page cannot fall behind the code.
"""

import inspect
import json
from collections.abc import Iterable, Mapping
from typing import Any

import click
from msgspec.structs import astuple

import tickboard
from tickboard.cli.main import app
from tickboard.configuration.config import config_schema
from tickboard.metrics.declarations import MetricDeclarations
from tickboard.metrics.handles import Counter, Gauge, Handle, Histogram
from tickboard.panels.declarations import PanelDeclarations
from tickboard.server.routes.openapi import document
from tickboard.settings import BOUNDS, Settings

Schema = Mapping[str, Any]

PYTHON: dict[str, tuple[str, ...]] = {
    "The board": ("Board", "BoardHistory"),
    "Conditions": ("metric", "absent", "anomaly", "total", "Condition"),
    "What a board shows": ("Alert", "Mark", "Stats", "Settings"),
    "In an application": (
        "TickboardMiddleware",
        "TickboardWSGIMiddleware",
        "django_routes",
        "serve_in_background",
        "Background",
    ),
    "Push": ("push", "Push", "mark"),
    "Client": (
        "connect",
        "Ticks",
        "Tick",
        "WatchedSeries",
        "history",
        "HistoryData",
        "HistorySeries",
        "changes",
        "Changes",
        "Change",
    ),
    "Errors": ("TickboardError", "InputError", "BoardError", "LimitError", "RefusedError", "ProtocolError"),
}
"""The public names by heading."""

HIDDEN = {"history": "tickboard.client.history.history"}
"""Public names that are those of folders of the package, too, and where they are found in spite of it."""

INHERITED = [
    name for base in (MetricDeclarations, PanelDeclarations) for name in vars(base) if not name.startswith("_")
]
"""The methods of a board that declare metrics and panels."""

OPTIONS = {"Board": f"\n    options:\n      inherited_members: [{', '.join(INHERITED)}]"}
"""What mkdocstrings does otherwise for a public name."""

HANDLES: dict[type[Handle], tuple[str, ...]] = {
    Handle: ("labels", "remove", "value", "stats"),
    Gauge: ("set", "inc", "dec", "set_function", "track_inprogress"),
    Counter: ("inc",),
    Histogram: ("observe", "time"),
}
"""What writes the values of a metric, and its methods that are for users."""

PYTHON_INTRODUCTION = """
Generated from the docstrings. Import these names from `tickboard`. A duration is a text (`"250ms"`, `"10s"`, `"5m"`,
`"2h"`, `"1d"`), a number of seconds, or a `timedelta`.
"""

METRICS_INTRODUCTION = """
`board.gauge`, `board.counter` and `board.histogram` declare a metric and return its handle. Write values through the
handle, from any thread.
"""

COMMAND_LINE_INTRODUCTION = """
Generated from the program: `tickboard --help` and `tickboard COMMAND --help` print the same. The exit status is 0 for
success, 1 if the answer is no or cannot be printed, and 2 for a mistake in what you gave. A mistake is reported on one
line of standard error.
"""

CONFIG_INTRODUCTION = """
Generated from the JSON Schema that `tickboard schema` prints. [The guide](../config.md) shows how to use the keys.
"""

HTTP_INTRODUCTION = """
Generated from the OpenAPI 3.1 document that every board serves at `/api/openapi.json`. Paths are relative to where the
board is served. [The protocol](../protocol.md) describes the WebSocket and the alert stream.
"""


def python() -> str:
    """Return the page of the Python API, for mkdocstrings to fill in."""
    grouped = {name for names in PYTHON.values() for name in names}
    grouped |= {kind.__name__ for kind in HANDLES}
    others = tuple(name for name in tickboard.__all__ if name not in grouped)
    parts = ["# Python", PYTHON_INTRODUCTION]
    for heading, names in (PYTHON | ({"More": others} if others else {})).items():
        parts.append(f"## {heading}")
        parts += [f"::: {HIDDEN.get(name, f'tickboard.{name}')}{OPTIONS.get(name, '')}" for name in names]
        if heading == "The board":
            parts += ["## Metrics", METRICS_INTRODUCTION]
            for kind, members in HANDLES.items():
                shown = "\n".join(f"        - {member}" for member in members)
                options = f"    options:\n      merge_init_into_class: false\n      members:\n{shown}"
                home = "tickboard" if kind.__name__ in tickboard.__all__ else kind.__module__
                parts.append(f"::: {home}.{kind.__name__}\n{options}")
    return "\n\n".join(parts) + "\n"


def command_line() -> str:
    """Return the page of the commands, flags and environment variables."""
    defaults = dict(zip(BOUNDS, astuple(Settings()), strict=True))
    variables = [
        (f"`{name}`", f"{defaults[name]}", f"{meaning}, {low} to {high}")
        for name, (low, high, meaning) in BOUNDS.items()
    ] + [
        ("`TICKBOARD_STATE`", "one file for each board", "where the log of alerts is kept; the flag `--state` wins"),
        ("`TICKBOARD_HISTORY`", "beside that file", "where every tick is kept; the flag `--history` wins"),
        ("`TICKBOARD_ROOT_PATH`", "", "the path a proxy does not strip; the flag `--root-path` wins"),
    ]
    return "\n\n".join(
        [
            "# Command line",
            COMMAND_LINE_INTRODUCTION,
            "## Environment variables",
            table(("variable", "default", "what it is"), variables),
            "A flag wins over its variable, and a variable over what the dashboard file asks for.",
            *_commands(app, "tickboard", "##"),
        ]
    )


def _commands(command: click.Command, name: str, heading: str) -> Iterable[str]:
    """Yield the parts of the page about a command and those below it."""
    context = click.Context(command, info_name=name)
    yield f"{heading} {name}"
    yield f"```console\n$ {name} {' '.join(command.collect_usage_pieces(context))}\n```"
    yield inspect.cleandoc(command.help or "")
    options = [each for each in command.params if isinstance(each, click.Option)]
    if options:
        yield table(("flag", "default", "what it is"), [_flag(each, context) for each in options])
    if isinstance(command, click.Group):
        for below, each in command.commands.items():
            yield from _commands(each, f"{name} {below}", f"{heading}#")


def _flag(option: click.Option, context: click.Context) -> tuple[str, str, str]:
    written = " ".join(filter(None, (option.opts[-1], "" if option.is_flag else option.make_metavar(context))))
    default = f"`{option.default}`" if option.show_default else ""
    return f"`{written}`".replace("|", "\\|"), default, option.help or ""


def config() -> str:
    """Return the page of the keys of tickboard.toml."""
    definitions: Schema = config_schema()["$defs"]
    parts = [
        "# tickboard.toml",
        CONFIG_INTRODUCTION,
    ]
    tables = (("[rules.NAME]", "RuleTable"), ("[notifiers.NAME]", "NotifierTable"), ("[history]", "HistoryTable"))
    for heading, name in tables:
        parts += [f"## `{heading}`", definitions[name]["description"], fields(definitions[name], definitions)]
    known = {"Document", *(name for _, name in tables)}
    for name in sorted(set(definitions) - known):
        parts += [f"## {name}", definitions[name].get("description", ""), fields(definitions[name], definitions)]
    return "\n\n".join(parts) + "\n"


def http() -> str:
    """Return the page of the HTTP API and its types."""
    described = document()
    schemas: Schema = described["components"]["schemas"]
    parts = [
        "# HTTP API",
        HTTP_INTRODUCTION,
    ]
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            parts += [f"## {method.upper()} {path}", f"{operation['summary']}.", *_operation(operation)]
    parts.append("## Types")
    for name, schema in schemas.items():
        parts += [f"### {name}", paragraph(schema.get("description", "")), fields(schema, schemas)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _operation(operation: Schema) -> Iterable[str]:
    if parameters := operation.get("parameters"):
        rows = [
            (f"`{one['name']}`", one["in"], type_of(one["schema"]), paragraph(one.get("description", "")))
            for one in parameters
        ]
        yield table(("parameter", "in", "type", "what it is"), rows)
    if body := operation.get("requestBody"):
        kinds = ", ".join(
            f"`{kind}`: {type_of(content.get('schema', {}))}" for kind, content in body["content"].items()
        )
        yield f"Body: {kinds}"
    answers = [
        (status, paragraph(answer.get("description", "")), _content(answer))
        for status, answer in sorted(operation["responses"].items())
    ]
    yield table(("status", "when", "answer"), answers)


def _content(answer: Schema) -> str:
    return ", ".join(dict.fromkeys(type_of(one.get("schema", {})) for one in answer.get("content", {}).values()))


def fields(schema: Schema, definitions: Schema) -> str:
    """Return a table of an object's fields."""
    required = set(schema.get("required", ()))
    rows = []
    for name, field in schema.get("properties", {}).items():
        said = paragraph(field.get("description", ""))
        if examples := field.get("examples"):
            said += f" Examples: {', '.join(f'`{text(one)}`' for one in examples)}."
        default = "required" if name in required else f"`{json.dumps(field['default'])}`" if "default" in field else ""
        rows.append((f"`{name}`", type_of(field), default, said.strip()))
    if not rows:
        return f"One of: {type_of(schema)}"
    columns = ("field", "type", "default", "what it is")
    kept = [index for index in range(4) if index < 2 or any(row[index] for row in rows)]
    return table([columns[index] for index in kept], [[row[index] for index in kept] for row in rows])


def type_of(schema: Schema) -> str:
    """Return a schema's type in a few words, with a link where it has a name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return ", ".join(f"`{text(one)}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{text(schema['const'])}`"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(type_of(one) for one in schema[key]))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {type_of(schema['additionalProperties'])}"
    return ", ".join(kind) if isinstance(kind, list) else str(kind)


def text(value: object) -> str:
    """Return a JSON value as it is written in a table."""
    written = {True: "true", False: "false", None: "null"}
    shown = written[value] if value is None or isinstance(value, bool) else value
    return str(shown).replace("|", "\\|")


def paragraph(description: str) -> str:
    """Return a description on one line, fit for a table."""
    return " ".join(description.split()).replace("|", "\\|")


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    columns = list(columns)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
