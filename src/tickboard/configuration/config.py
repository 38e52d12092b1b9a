"""The contents of ``tickboard.toml``: rules, notifiers, history and where ticks go, set without touching Python.

`parse_config` takes a file's bytes and returns a `Config`, or raises one error that names the file, the line, the key
and the fix. `config_schema` returns a JSON Schema, made from the same types, for editors. Nothing here knows a board:
whether a rule exists, and whether a condition is valid, is checked when the configuration is applied to one.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from tickboard import schedule, sizes
from tickboard.alerting.rules import NoData
from tickboard.configuration.toml import KeyPath, Toml, read_toml, shown_path
from tickboard.errors import BoardError, InputError
from tickboard.wire import Severity

NOTIFIER_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
"""The regular expression of a notifier's name."""

NOTIFIER_NAME_HELP = "a notifier's name has up to 64 letters, digits, _, . and -, as ops; the given one is not shown"
"""The error of an invalid name. It does not contain the name, which may be a URL that was put in the wrong place."""

NAME = "tickboard.toml"
"""The name of the file beside a dashboard file."""

Name = Annotated[str, Meta(min_length=1, max_length=200)]
NotifierName = Annotated[str, Meta(pattern=rf"^{NOTIFIER_NAME}$(?!\n)")]
Duration = Annotated[str, Meta(pattern=rf"^{schedule.DURATION}$(?!\n)")]
Size = Annotated[str, Meta(pattern=rf"^{sizes.SIZE}$(?!\n)")]
Text = Annotated[str, Meta(min_length=1)]


class RuleTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename={"for_": "for"}):
    """A rule. Its keys replace those of the rule in the dashboard file; a new rule needs when and message."""

    when: (
        Annotated[
            Text,
            Meta(
                description="The condition, as text.",
                examples=["cpu_usage > 90", 'latency.p95("30s") > 80', "(cpu_usage > 80) & (load > 4)"],
            ),
        ]
        | UnsetType
    ) = UNSET
    message: (
        Annotated[
            Text,
            Meta(
                description="The text of the alert, with {value}, {metric}, {threshold} and the names of labels.",
                examples=["{host}: CPU {value:.1f}%"],
            ),
        ]
        | UnsetType
    ) = UNSET
    severity: Annotated[Severity, Meta(description="The severity: info, warning or critical.")] | UnsetType = UNSET
    for_: (
        Annotated[
            Duration,
            Meta(
                description='How long the condition must be true before the alert fires, as "10s".',
                examples=["10s", "5m"],
            ),
        ]
        | UnsetType
    ) = UNSET
    clear: (
        Annotated[
            Text,
            Meta(
                description="The condition that ends the alert, as text. By default, that the other one is false.",
                examples=["cpu < 80"],
            ),
        ]
        | UnsetType
    ) = UNSET
    keep: (
        Annotated[
            Duration,
            Meta(
                description='How long the alert keeps firing after it is cleared, as "30s".',
                examples=["30s"],
            ),
        ]
        | UnsetType
    ) = UNSET
    no_data: (
        Annotated[
            NoData,
            Meta(description="What a missing value means: keep, alert or resolve."),
        ]
        | UnsetType
    ) = UNSET
    threshold: (
        Annotated[
            float,
            Meta(description="A finite number to replace the one in the first comparison.", examples=[90, 0.5]),
        ]
        | UnsetType
    ) = UNSET
    enabled: Annotated[bool, Meta(description="true, or false to remove the rule.")] = True


class NotifierTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A service that alerts are sent to."""

    url: Annotated[
        Text,
        Meta(
            description="An Apprise URL, as text. $NAME and ${NAME} in it are read from the environment.",
            examples=["$OPS_URL", "slack://${SLACK_TOKEN}/#ops"],
        ),
    ]
    severities: (
        Annotated[
            list[Severity],
            Meta(
                description="The severities to send: a list of info, warning and critical. By default, all.",
                examples=[["critical"]],
                min_length=1,
            ),
        ]
        | UnsetType
    ) = UNSET
    wait: (
        Annotated[
            Duration,
            Meta(
                description='How long alerts are collected into one message, as "5s".',
                examples=["5s"],
            ),
        ]
        | UnsetType
    ) = UNSET
    limit: (
        Annotated[int, Meta(description="The most messages a minute: a whole number, 1 or more.", ge=1, examples=[10])]
        | UnsetType
    ) = UNSET
    remind: (
        Annotated[
            Duration,
            Meta(
                description='How long until an alert that still fires is sent again, as "4h".',
                examples=["4h"],
            ),
        ]
        | UnsetType
    ) = UNSET
    resolved: Annotated[bool, Meta(description="Whether to send the end of an alert: true or false.")] | UnsetType = (
        UNSET
    )


class HistoryTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where every tick is kept, for how long, and in how large a file."""

    file: (
        Annotated[
            Text,
            Meta(
                description='The path of the file, as text. "none": no history.',
                examples=["/var/lib/tickboard/history.sqlite", "none"],
            ),
        ]
        | UnsetType
    ) = UNSET
    keep: (
        Annotated[
            Duration,
            Meta(
                description='How long every tick is kept, as "7d", the default.',
                examples=["7d"],
            ),
        ]
        | UnsetType
    ) = UNSET
    keep_minutes: (
        Annotated[
            Duration,
            Meta(description='How long minutes are kept, as "90d", the default.'),
        ]
        | UnsetType
    ) = UNSET
    keep_hours: (
        Annotated[
            Duration,
            Meta(description='How long hours are kept, as "2y", the default.'),
        ]
        | UnsetType
    ) = UNSET
    size: (
        Annotated[
            Size,
            Meta(
                description='The maximum size of the file, as "1GiB", the default.',
                examples=["1GiB", "200MB"],
            ),
        ]
        | UnsetType
    ) = UNSET
    commit: (
        Annotated[
            Duration,
            Meta(
                description='The time between two writes to the disk, as "1s", the default.',
                examples=["30s"],
            ),
        ]
        | UnsetType
    ) = UNSET


class RemoteWriteTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where every tick is sent: Prometheus, VictoriaMetrics, Mimir or another receiver of remote write."""

    url: (
        Annotated[
            Text,
            Meta(
                description='The URL to send to, as text. ${NAME} in it is read from the environment. "none": nowhere.',
                examples=["http://localhost:9090/api/v1/write", "https://${USER}:${PASSWORD}@mimir/api/v1/push"],
            ),
        ]
        | UnsetType
    ) = UNSET
    version: (
        Annotated[Literal["1.0", "2.0"], Meta(description='The version: "1.0", the default, or "2.0".')] | UnsetType
    ) = UNSET
    metrics: (
        Annotated[
            list[Text],
            Meta(description="Which series: a list of names, globs or labels. By default, all.", examples=[["disk_*"]]),
        ]
        | UnsetType
    ) = UNSET
    headers: (
        Annotated[
            dict[str, str],
            Meta(
                description="Headers of each request: names and texts. ${NAME} in a text is read from the environment.",
                examples=[{"Authorization": "Bearer ${MIMIR_TOKEN}"}],
            ),
        ]
        | UnsetType
    ) = UNSET
    labels: (
        Annotated[
            dict[str, str],
            Meta(
                description="Labels to add to each series that does not have them: names and texts.",
                examples=[{"env": "prod"}],
            ),
        ]
        | UnsetType
    ) = UNSET
    delay: (
        Annotated[
            Duration,
            Meta(
                description='How long to wait before a tick is sent, so that it includes late values, as "10s".',
                examples=["10s"],
            ),
        ]
        | UnsetType
    ) = UNSET


class HostTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The board as one of the hosts that a wall follows: its name and labels, and the NATS server to publish on."""

    name: (
        Annotated[
            Text,
            Meta(description="The name, as text. By default, that of the machine.", examples=["web-1"]),
        ]
        | UnsetType
    ) = UNSET
    labels: (
        Annotated[
            dict[str, str],
            Meta(description="Labels of the host: names and texts.", examples=[{"env": "prod", "role": "web"}]),
        ]
        | UnsetType
    ) = UNSET
    nats: (
        Annotated[
            Text,
            Meta(
                description="NATS servers to publish on, as text: URLs, separated by commas. ${NAME} in them is read "
                'from the environment. "none": nothing is published.',
                examples=["nats://nats.example.com", "tls://${NATS_USER}:${NATS_PASSWORD}@nats.example.com:4222"],
            ),
        ]
        | UnsetType
    ) = UNSET
    credentials: Annotated[Text, Meta(description="The path of a NATS credentials file, as text.")] | UnsetType = UNSET
    ca: (
        Annotated[
            Text,
            Meta(
                description="The path of the CA certificates that the NATS server's is checked with, in PEM, as text."
            ),
        ]
        | UnsetType
    ) = UNSET
    certificate: (
        Annotated[Text, Meta(description="The path of the host's own certificate for NATS, in PEM, as text.")]
        | UnsetType
    ) = UNSET
    key: (
        Annotated[Text, Meta(description="The path of its key, in PEM, as text. By default, it is in the same file.")]
        | UnsetType
    ) = UNSET


class FollowTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which hosts a wall follows."""

    hosts: (
        Annotated[
            list[Text],
            Meta(
                description="The addresses of the hosts, or of NATS servers whose hosts are all followed: a list of "
                "URLs. ${NAME} in them is read from the environment.",
                examples=[["http://web-1:3000", "http://web-2:3000"], ["nats://nats.example.com"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    token_file: (
        Annotated[
            Text,
            Meta(description="A file, as text, with a line 'URL TOKEN' for each host.", examples=["tokens"]),
        ]
        | UnsetType
    ) = UNSET
    metrics: (
        Annotated[
            list[Text],
            Meta(
                description="Metrics of the hosts to show beside their overview: a list of names, globs or labels.",
                examples=[["requests", "disk_*"]],
            ),
        ]
        | UnsetType
    ) = UNSET


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A tickboard.toml: rules, notifiers, history and where ticks go, set without touching Python."""

    rules: Annotated[dict[Name, RuleTable], Meta(description="Rules by name: tables [rules.NAME].")] = {}
    notifiers: Annotated[
        dict[NotifierName, NotifierTable], Meta(description="Notifiers by name: tables [notifiers.NAME].")
    ] = {}
    history: Annotated[HistoryTable, Meta(description="How ticks are kept: the table [history].")] = HistoryTable()
    remote_write: Annotated[RemoteWriteTable, Meta(description="Where ticks are sent: the table [remote_write].")] = (
        RemoteWriteTable()
    )
    host: Annotated[HostTable, Meta(description="The board among other hosts: the table [host].")] = HostTable()
    follow: Annotated[FollowTable, Meta(description="Which hosts a wall follows: the table [follow].")] = FollowTable()


T = TypeVar("T", RuleTable, NotifierTable, HistoryTable, RemoteWriteTable, HostTable, FollowTable)


class Config(Struct, frozen=True):
    """The contents of a valid file.

    Attributes:
        toml: the file, for its name and lines.
        rules: by name, in the order of the file.
        notifiers: by name, in the order of the file.
        history: the table ``[history]``.
        remote_write: the table ``[remote_write]``.
        host: the table ``[host]``.
        follow: the table ``[follow]``.
    """

    toml: Toml
    rules: Mapping[str, RuleTable]
    notifiers: Mapping[str, NotifierTable]
    history: HistoryTable
    remote_write: RemoteWriteTable
    host: HostTable
    follow: FollowTable


def parse_config(data: bytes, file: str) -> Config:
    """Return the contents of a file.

    Args:
        data: the file's bytes.
        file: its name, for errors.

    Raises:
        BoardError: it is not TOML, or contains an unknown key or an invalid value.
    """
    toml = read_toml(data, file)
    _check_keys(toml, (), toml.values, Document)
    return Config(
        toml,
        _tables(toml, "rules", RuleTable),
        _tables(toml, "notifiers", NotifierTable),
        _table(toml, ("history",), toml.values.get("history", {}), HistoryTable),
        _table(toml, ("remote_write",), toml.values.get("remote_write", {}), RemoteWriteTable),
        _table(toml, ("host",), toml.values.get("host", {}), HostTable),
        _table(toml, ("follow",), toml.values.get("follow", {}), FollowTable),
    )


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": NAME,
        **msgspec.json.schema(Document),
    }


def _tables(toml: Toml, section: str, kind: type[T]) -> dict[str, T]:
    values = toml.values.get(section, {})
    if not isinstance(values, dict):
        raise toml.error((section,), f"it is not a table: write [{section}.NAME] and the keys below it")
    for name in values:
        _check_name(toml, (section, name))
    return {name: _table(toml, (section, name), value, kind) for name, value in values.items()}


def _table(toml: Toml, path: KeyPath, values: object, kind: type[T]) -> T:
    """Return one table of the file, checked."""
    if not isinstance(values, dict):
        raise toml.error(path, f"it is not a table: write [{shown_path(path)}] and the keys below it")
    _check_keys(toml, path, values, kind)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key, value in values.items():
        try:
            msgspec.convert(value, fields[key].type)
        except msgspec.ValidationError as error:
            raise toml.error((*path, key), _refused(kind, key, value)) from error
        if key in _DURATIONS:
            _check_duration(toml, (*path, key), value)
    for key, field in fields.items():
        if field.required and key not in values:
            raise toml.error(path, f"it has no {key}. {_description(kind, key)}")
    if not math.isfinite(values.get("threshold", 0)):
        raise toml.error((*path, "threshold"), _refused(kind, "threshold", values["threshold"]))
    return msgspec.convert(values, kind)


def _check_name(toml: Toml, path: KeyPath) -> None:
    section, name = path
    try:
        msgspec.convert(name, NotifierName if section == "notifiers" else Name)
    except msgspec.ValidationError as error:
        if section == "notifiers":
            fix = f"{section}: {NOTIFIER_NAME_HELP}: write [{section}.ops] and the URL below it"
            raise BoardError(fix, toml.file, toml.line(path)) from None
        raise toml.error(path, "use a name of 1 to 200 characters") from error


_DURATIONS = {"for", "keep", "wait", "remind", "keep_minutes", "keep_hours", "commit", "delay"}


def _check_duration(toml: Toml, path: KeyPath, text: str) -> None:
    try:
        schedule.duration(text)
    except InputError as error:
        raise toml.error(path, str(error)) from error


def _check_keys(toml: Toml, path: KeyPath, values: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    """Check that all keys are known.

    Raises:
        BoardError: a key is unknown; the error suggests a similar one.
    """
    from difflib import get_close_matches

    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for key, value in values.items():
        if key in known:
            continue
        if len(path) == 2 and isinstance(value, dict):
            quoted = f"[{shown_path((path[0], f'{path[1]}.{key}'))}]"
            fix = f"write a name with a dot in quotes, {quoted}; or use one of {', '.join(known)}"
        elif close := get_close_matches(key.lower(), known, 1, 0.5):
            fix = f"write {close[0]}"
        else:
            fix = f"use one of {', '.join(known)}"
        raise toml.error((*path, key), f"there is no such key: {fix}")


def _refused(kind: type[msgspec.Struct], key: str, value: object) -> str:
    # A URL or a header may contain a password, and everyone who sees the page can read errors.
    shown = "the value" if key in {"url", "headers", "nats", "hosts"} else _shortened(repr(value))
    return f"{shown} is invalid. {_description(kind, key)}"


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


def _description(kind: type[msgspec.Struct], key: str) -> str:
    text: str = msgspec.json.schema(kind)["$defs"][kind.__name__]["properties"][key]["description"]
    return text
