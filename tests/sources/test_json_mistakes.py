"""Errors about malformed JSON name the mistake, its position and how to fix it."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.sources.json_mistakes import explain_mistake


def explanation_of(text: bytes) -> str:
    with pytest.raises((ValueError, RecursionError)) as raised:
        msgspec.json.decode(text, type=dict[str, Any])
    return explain_mistake(raised.value, text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (json.dumps({"value": math.nan}).encode(), "NaN is not JSON: send null where there is no value (byte 10), in"),
        (json.dumps({"value": math.inf}).encode(), "Infinity is not JSON: send null"),
        (json.dumps({"value": -math.inf}).encode(), "-Infinity is not JSON: send null"),
        (b'{"value": nan}', "nan is not JSON: send null"),
        (b'{"value": -inf, "a": 3}', "-inf is not JSON: send null"),
        (b'{"value": [1, +inf]}', "+inf is not JSON: send null"),
        (b'{"value": True}', "True is not JSON: send true"),
        (b'{"value": False}', "False is not JSON: send false"),
        (b'{"value": None}', "None is not JSON: send null"),
        (b'{"value": undefined}', "undefined is not JSON: send null"),
        (b"{'value': 3}", "single quotes is not JSON: use double quotes (byte 1), in \"{'value': 3}\""),
        (b"{\"value\": 'three'}", "single quotes"),
        (b"{value: 3}", "a name without quotes is not JSON: put it in double quotes"),
        (b'{"value": 3,}', "trailing comma in object: leave the comma out"),
        (b'{"value": [3,]}', "trailing comma in array: leave the comma out"),
        (b'{"value": 3} // three', "a comment is not JSON: leave it out"),
        (b'# three\n{"value": 3}', "a comment is not JSON"),
        (b'{"value": 3} x', "trailing characters (byte 13)"),
        (b'{"value" 3}', "expected ':'"),
        (b'{"value": .5}', "invalid character (byte 10)"),
        (b'{"value": nano}', "invalid character"),
        (b"", "Input data was truncated: the text is empty"),
        (b" \n", "the text is empty"),
        (b'{"value": 3', "Input data was truncated"),
        (b'{"value": "\xff"}', "is not UTF-8"),
        (b'{"value": ' + b"[" * 100_000, "nested too deeply"),
        (b"[3]", "Expected `object`, got `array`"),
    ],
)
def test_a_mistake_is_named_with_its_position(text: bytes, wanted: str) -> None:
    assert wanted in explanation_of(text)


@given(st.binary(max_size=60) | st.text("{}[]\",:'NaInfityTruelsd -+.0\n", max_size=40).map(str.encode))
def test_any_malformed_text_gets_a_one_line_explanation(text: bytes) -> None:
    try:
        msgspec.json.decode(text, type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        found = explain_mistake(error, text)
        assert found
        assert "\n" not in found
