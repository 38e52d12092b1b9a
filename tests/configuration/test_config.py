"""Parsing `tickboard.toml` returns a `Config` or raises one error with the line and the fix. The schema agrees."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tickboard.configuration.config import (
    Config,
    Document,
    HistoryTable,
    NotifierTable,
    RuleTable,
    config_schema,
    parse_config,
)
from tickboard.errors import BoardError

SCHEMA = jsonschema_rs.Draft202012Validator(config_schema())


def parsed(text: str) -> Config:
    return parse_config(text.encode(), "tickboard.toml")


def error_of(text: str) -> BoardError:
    with pytest.raises(BoardError) as caught:
        parsed(text)
    assert "\n" not in str(caught.value)
    return caught.value


# --- valid files ---


def test_rules_and_notifiers_are_read_by_name() -> None:
    config = parsed(
        """
        [rules.cpu_usage]
        threshold = 95
        for = "30s"

        [rules."queue.depth"]
        when = 'queue.depth > 100'
        message = "Queue: {value:.0f}"
        severity = "critical"
        clear = "queue.depth < 50"
        keep = "1m"
        no_data = "alert"
        enabled = false

        [notifiers.ops]
        url = "$OPS_URL"
        severities = ["critical"]
        wait = "5s"
        limit = 10
        remind = "4h"
        resolved = false
        """
    )
    assert config.history == HistoryTable()
    assert config.rules == {
        "cpu_usage": RuleTable(threshold=95.0, for_="30s"),
        "queue.depth": RuleTable(
            when="queue.depth > 100",
            message="Queue: {value:.0f}",
            severity="critical",
            clear="queue.depth < 50",
            keep="1m",
            no_data="alert",
            enabled=False,
        ),
    }
    assert config.notifiers == {
        "ops": NotifierTable(url="$OPS_URL", severities=["critical"], wait="5s", limit=10, remind="4h", resolved=False)
    }


SECTIONS = "rules, notifiers, history, remote_write, host, follow"


def test_an_empty_file_is_an_empty_config() -> None:
    config = parsed("# nothing yet\n")
    assert (config.rules, config.notifiers) == ({}, {})


# --- invalid files ---


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[rules.cpu]\n\nwen = 'cpu > 1'\n", "tickboard.toml:3: rules.cpu.wen: there is no such key: write when"),
        ("[rules.cpu]\nfor_ = '1s'\n", "tickboard.toml:2: rules.cpu.for_: there is no such key: write for"),
        ("[rules.cpu]\nMessage = 'x'\n", "tickboard.toml:2: rules.cpu.Message: there is no such key: write message"),
        ("\n[rule.cpu]\n", "tickboard.toml:2: rule: there is no such key: write rules"),
        (
            "xyz = 1\n",
            f"tickboard.toml:1: xyz: there is no such key: use one of {SECTIONS}",
        ),
        ("[history]\nsise = 1\n", "tickboard.toml:2: history.sise: there is no such key: write size"),
        (
            "[history.file]\n",
            'tickboard.toml:1: history.file: {} is invalid. The path of the file, as text. "none": no history.',
        ),
        (
            "[notifiers.ops]\nurl = 'x'\nsecurities = []\n",
            "tickboard.toml:3: notifiers.ops.securities: there is no such key: write severities",
        ),
        (
            "[rules.latency.p95]\nthreshold = 1\n",
            (
                "tickboard.toml:1: rules.latency.p95: there is no such key: write a name with a dot in quotes, "
                '[rules."latency.p95"]; or use one of when, message, severity, for, clear, keep, no_data, threshold, '
                "enabled"
            ),
        ),
    ],
)
def test_an_unknown_key_is_refused_with_a_suggestion(text: str, message: str) -> None:
    assert str(error_of(text)) == message


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("rules = 1", 1, "rules: it is not a table: write [rules.NAME]"),
        ("[[rules]]", 1, "rules: it is not a table: write [rules.NAME]"),
        ("[rules]\ncpu = 1", 2, "rules.cpu: it is not a table: write [rules.cpu]"),
        ("[rules.'']", 1, 'rules."": use a name of 1 to 200 characters'),
        (f"[rules.{'x' * 201}]", 1, "use a name of 1 to 200 characters"),
        ("[rules.cpu]\nwhen = 1", 2, "rules.cpu.when: 1 is invalid. The condition, as text."),
        ("[rules.cpu]\nwhen = ''", 2, "rules.cpu.when: '' is invalid. The condition, as text."),
        ("[rules.cpu]\nseverity = 'bad'", 2, "'bad' is invalid. The severity: info, warning or critical."),
        (
            "[rules.cpu]\nfor = 10",
            2,
            '10 is invalid. How long the condition must be true before the alert fires, as "10s".',
        ),
        ("[rules.cpu]\nkeep = 'soon'", 2, "'soon' is invalid. How long the alert keeps firing"),
        ("[rules.cpu]\nkeep = '1s\\n'", 2, "is invalid. How long the alert keeps firing"),
        ('[rules.cpu]\nkeep = "1s\\n"', 2, "is invalid. How long the alert keeps firing"),
        ("[rules.cpu]\nfor = '99999d'", 2, "rules.cpu.for: duration '99999d': the longest is 36500d: write less"),
        ("[rules.cpu]\nno_data = 'ok'", 2, "'ok' is invalid. What a missing value means"),
        ("[rules.cpu]\nthreshold = '90'", 2, "'90' is invalid. A finite number"),
        ("[rules.cpu]\nthreshold = true", 2, "True is invalid. A finite number"),
        ("[rules.cpu]\nthreshold = nan", 2, "nan is invalid. A finite number"),
        ("[rules.cpu]\nthreshold = -inf", 2, "-inf is invalid. A finite number"),
        (
            f"[rules.cpu]\nthreshold = {'9' * 400}",
            2,
            "threshold: the number has more than 64 bits: write a smaller one",
        ),
        ("[rules.cpu]\nenabled = 'no'", 2, "'no' is invalid. true, or false"),
        ("[rules.cpu]\nmessage = 1979-05-27", 2, "is invalid. The text of the alert"),
        ("[notifiers.ops]\nlimit = 1", 1, "notifiers.ops: it has no url. An Apprise URL"),
        ("[notifiers.ops]\nurl = 'x'\nlimit = 0", 3, "0 is invalid. The most messages a minute"),
        ("[notifiers.ops]\nurl = 'x'\nseverities = []", 3, "[] is invalid. The severities to send"),
        ("[notifiers.ops]\nurl = 'x'\nseverities = ['bad']", 3, "['bad'] is invalid. The severities to send"),
        ("[notifiers.ops]\nurl = 'x'\nwait = '5'", 3, "'5' is invalid. How long alerts are collected"),
        ("history = 1", 1, "history: it is not a table: write [history]"),
        ("[history]\nkeep = 7", 2, "7 is invalid. How long every tick is kept"),
        ("[history]\nkeep_hours = '99999d'", 2, "history.keep_hours: duration '99999d': the longest is 36500d"),
        ("[history]\nsize = '1 gb'", 2, "'1 gb' is invalid. The maximum size of the file"),
        ("[rules.cpu]\nwhen = ", 2, "it is not valid TOML"),
    ],
)
def test_an_invalid_value_is_refused_with_a_description_of_valid_ones(text: str, line: int, message: str) -> None:
    error = error_of(text)
    assert message in error.message
    assert (error.file, error.line) == ("tickboard.toml", line)


def test_a_long_value_is_truncated_in_the_error() -> None:
    assert len(error_of(f"[rules.cpu]\nseverity = '{'x' * 1000}'").message) < 200


@pytest.mark.parametrize("text", ["url = ['secret']", "url = {secret = 'secret'}", "url = 'secret'\nlimit = 0"])
def test_an_error_never_shows_the_url_of_a_notifier(text: str) -> None:
    assert "secret" not in str(error_of(f"[notifiers.ops]\n{text}"))


@pytest.mark.parametrize(
    "text",
    [
        '[notifiers."slack://TokenA/b"]\nurl = "ops"',
        'notifiers."slack://TokenA/b" = "ops"',
        'notifiers."TokenA/b" = "ops"',
        '[notifiers."slack://TokenA/b"]\n[notifiers."slack://TokenA/b"]',
        '[notifiers.ops."slack://TokenA/b"]',
        '[notifiers.ops]\n"slack://TokenA/b" = "ops"',
        '"slack://TokenA/b" = "ops"',
        '["slack://TokenA/b"]\nurl = "ops"',
        '[rules."slack://TokenA/b"]\nurl = "ops"',
    ],
)
def test_a_url_in_place_of_a_name_is_not_shown(text: str) -> None:
    error = error_of(text)
    assert "TokenA" not in str(error)
    assert error.line in {1, 2}


def test_an_invalid_notifier_name_is_reported_with_its_line_and_how_to_fix_it() -> None:
    error = error_of('[notifiers.ops]\nurl = "x"\n["notifiers"."my ops"]\nurl = "x"')
    assert error.line == 3
    assert error.message == (
        "notifiers: a notifier's name has up to 64 letters, digits, _, . and -, as ops; the given one is not shown: "
        "write [notifiers.ops] and the URL below it"
    )


# --- the schema ---


def test_every_key_has_a_description_and_valid_examples() -> None:
    definitions = config_schema()["$defs"]
    assert set(definitions) == {
        "Document",
        "RuleTable",
        "NotifierTable",
        "HistoryTable",
        "RemoteWriteTable",
        "HostTable",
        "FollowTable",
    }
    documents: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "RuleTable": lambda table: {"rules": {"name": table}},
        "NotifierTable": lambda table: {"notifiers": {"name": {"url": "x"} | table}},
        "HistoryTable": lambda table: {"history": table},
        "RemoteWriteTable": lambda table: {"remote_write": table},
        "HostTable": lambda table: {"host": table},
        "FollowTable": lambda table: {"follow": table},
    }
    for name, document_of in documents.items():
        for key, described in definitions[name]["properties"].items():
            assert described["description"].endswith(".")
            for value in described.get("examples", []):
                document = document_of({key: value})
                assert accepted(document)
                assert SCHEMA.is_valid(document)


def test_the_schema_conforms_to_its_draft() -> None:
    schema = config_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(schema)
    json.dumps(schema)


def written(value: object) -> str:
    """Return a value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(key)} = {written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(one if one.isalnum() else f"\\U{ord(one):08x}" for one in value) + '"'
    return json.dumps(value)


def accepted(document: dict[str, Any]) -> bool:
    text = "".join(f"{written(key)} = {written(value)}\n" for key, value in document.items())
    try:
        config = parsed(text)
    except BoardError:
        return False
    # The config contains exactly what was written.
    read = msgspec.to_builtins(
        Document(
            dict(config.rules), dict(config.notifiers), config.history, config.remote_write, config.host, config.follow
        )
    )
    given = {
        section: {
            name: {key: value for key, value in table.items() if (key, value) != ("enabled", True)}
            for name, table in tables.items()
        }
        for section, tables in document.items()
        if tables and section not in PLAIN
    }
    for section in PLAIN:
        assert read.pop(section, {}) == document.get(section, {})
    assert read == given
    return True


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
severities = st.sampled_from(["info", "warning", "critical"])
durations = st.sampled_from(["10s", "250ms", "1.5 h", "5m", "36500d"])
RULE = {
    "when": texts.filter(bool),
    "message": texts.filter(bool),
    "severity": severities,
    "for": durations,
    "clear": texts.filter(bool),
    "keep": durations,
    "no_data": st.sampled_from(["keep", "alert", "resolve"]),
    "threshold": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**9), 10**9),
    "enabled": st.booleans(),
}
NOTIFIER = {
    "severities": st.lists(severities, min_size=1),
    "wait": durations,
    "limit": st.integers(1, 1000),
    "remind": durations,
    "resolved": st.booleans(),
}
HISTORY = {
    "file": texts.filter(bool),
    "keep": durations,
    "keep_minutes": durations,
    "keep_hours": durations,
    "size": st.sampled_from(["1GiB", "1.5 MB", "0B"]),
    "commit": durations,
}
REMOTE_WRITE = {
    "url": texts.filter(bool),
    "version": st.sampled_from(["1.0", "2.0"]),
    "metrics": st.lists(texts.filter(bool)),
    "headers": st.dictionaries(texts, texts, max_size=2),
    "labels": st.dictionaries(texts, texts, max_size=2),
    "delay": durations,
}
HOST = {
    "name": texts.filter(bool),
    "labels": st.dictionaries(texts, texts, max_size=2),
    "nats": texts.filter(bool),
    "credentials": texts.filter(bool),
    "ca": texts.filter(bool),
    "certificate": texts.filter(bool),
    "key": texts.filter(bool),
}
FOLLOW = {"hosts": st.lists(texts.filter(bool)), "token_file": texts.filter(bool)}
PLAIN: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "history": HISTORY,
    "remote_write": REMOTE_WRITE,
    "host": HOST,
    "follow": FOLLOW,
}
"""The sections that are one table, and not one for each name."""

names = texts.filter(bool)
rules = st.dictionaries(names, st.fixed_dictionaries({}, optional=RULE), max_size=3)
notifier_names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", fullmatch=True)
notifiers = st.dictionaries(
    notifier_names, st.fixed_dictionaries({"url": texts.filter(bool)}, optional=NOTIFIER), max_size=3
)
plain = {section: st.fixed_dictionaries({}, optional=keys) for section, keys in PLAIN.items()}
documents = st.fixed_dictionaries({}, optional={"rules": rules, "notifiers": notifiers, **plain})
anything = st.recursive(
    st.booleans() | st.integers(-10, 10**6) | st.sampled_from(["", "critical", "10s", "10 s\n", "1", "x"]) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)


@given(documents)
def test_valid_documents_are_valid_for_parser_and_schema(document: dict[str, Any]) -> None:
    assert SCHEMA.is_valid(document)
    assert accepted(document)


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    """A document in which one part may be wrong: a value, a key, a table or a section."""
    document: dict[str, Any] = draw(documents)
    section = draw(st.sampled_from(["rules", "notifiers", *PLAIN, "other"]))
    depth = draw(st.integers(0, 2))
    if depth == 0 or section == "other":
        return document | {section: draw(anything)}
    tables: dict[str, Any] = document.get(section, {})
    name = draw(st.sampled_from([*PLAIN[section], "size_"]) if section in PLAIN else names | notifier_names)
    if depth == 1:
        return document | {section: tables | {name: draw(anything)}}
    keys = draw(st.sampled_from([*RULE, *NOTIFIER, "url", "when_"]) | texts)
    table: dict[str, Any] = {"url": "x"} if section == "notifiers" else {}
    return document | {section: tables | {name: table | {keys: draw(anything)}}}


@given(spoiled())
@example({"rules": {"": {}}})
@example({"rules": {"x" * 201: {}}})
@example({"rules": {"a": {"for": "1s\n"}}})
@example({"notifiers": {"a": {"limit": 1}}})
@example({"notifiers": {"a\n": {"url": "x"}}})
@example({"notifiers": {"slack://a": {"url": "x"}}})
def test_parser_and_schema_agree_on_possibly_invalid_documents(document: dict[str, Any]) -> None:
    assert accepted(document) == SCHEMA.is_valid(document)
