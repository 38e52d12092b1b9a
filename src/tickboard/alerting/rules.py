"""Rules: a condition, a duration, a severity and a message. They have no state; `alerts` keeps it."""

import math
import re
import string
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Literal, get_args

from msgspec import Struct

from tickboard.errors import InputError
from tickboard.expressions.expr import Condition, Constant
from tickboard.output.text import encodable
from tickboard.wire import MetricInfo, RuleInfo, Severity

NoData = Literal["keep", "alert", "resolve"]
"""What a missing value means to an episode: no change, a breach, or its end."""

Part = tuple[str, str | None, str]
"""A part of a message: literal text, the name of the field after it, and that field's format."""

MAX_WIDTH = 100
"""The largest width and precision in a format. Each firing alert formats its message, and larger ones help nobody."""

NOTHING = "?"
"""What a message shows in place of a number that does not exist."""


class Rule(Struct, frozen=True, eq=False, dict=True):
    """A condition, how long it must last, a severity and a message.

    Attributes:
        name: unique on its board.
        condition: the condition that fires the alert.
        message: a format string with ``{value}``, ``{metric}``, ``{threshold}`` and the names of labels.
        severity: info, warning or critical.
        for_s: seconds that a breach must last before the alert fires.
        clear: the condition that ends the alert; if None, it ends when `condition` is false.
        keep_s: seconds that the alert keeps firing after it is cleared.
        no_data: what a missing value means.
        file: where the rule was declared.
        line: the line in that file.
    """

    name: str
    condition: Condition
    message: str
    severity: Severity
    for_s: float = 0.0
    clear: Condition | None = None
    keep_s: float = 0.0
    no_data: NoData = "keep"
    file: str = ""
    line: int | None = None

    def describe(self) -> RuleInfo:
        """Return the rule as the page needs it."""
        return RuleInfo(self.condition.text(), self.message, self.severity, self.metric_name, self.threshold, self.name)

    @cached_property
    def metric_name(self) -> str:
        """The name of the metric that the condition is about."""
        return self.condition.subject().metric_name() or self.condition.metric_name()

    @cached_property
    def threshold(self) -> float | None:
        """The number that the condition compares with; None if it compares with something else."""
        first = self.condition.first()
        return first.right.number if first is not None and isinstance(first.right, Constant) else None

    def format_message(self, value: float, labels: Mapping[str, str]) -> str:
        """Return the message for one series; the unformatted text if formatting fails.

        Args:
            value: the value of the condition's subject; NaN: none.
            labels: the labels of the series. Where it lacks a label that the message names, the value that the
                condition selects is used, as for ``absent`` without a series; else it is empty. ``{value}``,
                ``{metric}`` and ``{threshold}`` never stand for labels.
        """
        words: dict[str, object] = {
            "value": value if not math.isnan(value) else _Nothing(),
            "metric": self.metric_name,
            "threshold": self.threshold if self.threshold is not None else _Nothing(),
        }
        try:
            return _worded(self._parts, self.selected | dict(labels) | words)
        except Exception:  # noqa: BLE001  # an unformatted alert is better than none
            return self.message

    @cached_property
    def selected(self) -> dict[str, str]:
        """The labels that the condition's first metric is selected by."""
        first = next(iter(self.condition.readings()), None)
        return dict(first.labels) if first is not None else {}

    @cached_property
    def _parts(self) -> list[Part]:
        return _parsed(self.message)


def check_rule(rule: Rule, metrics: Mapping[str, MetricInfo], longest_s: float | None = None) -> None:
    """Check that a rule can be evaluated and its messages sent.

    Args:
        rule: the rule.
        metrics: the board's metrics, by name. A metric that is missing may still appear, with any labels.
        longest_s: the window's length in seconds; None: not known yet.

    Raises:
        InputError: the severity or `no_data` is unknown, the message uses an unknown name or a bad format, a text
            cannot be encoded, a total is by an unknown label, or a span is longer than the window.
    """
    _check_choice("severity", rule.severity, get_args(Severity))
    _check_choice("no_data", rule.no_data, get_args(NoData))
    _check_text("rule name", rule.name)
    _check_text("condition", rule.condition.text())
    known = {name: info.labels for name, info in metrics.items()}
    labels = rule.condition.label_names(known)
    if rule.clear is not None:
        rule.clear.label_names(known)
    _check_message(rule, labels)
    if longest_s is None:
        return
    for condition in (rule.condition, rule.clear):
        for reading in condition.readings() if condition is not None else ():
            if reading.span_s is not None and reading.span_s > longest_s:
                raise InputError(
                    f"{reading.text()}: the window is {longest_s:g} s long: give a shorter span, or start with a "
                    "larger --window"
                )


def unused_name(wanted: str, taken: Collection[str]) -> str:
    """Return a name that is not taken: `wanted`, with a number appended if necessary."""
    name, number = wanted or "rule", 1
    while name in taken:
        number += 1
        name = f"{wanted or 'rule'}_{number}"
    return name


def _check_choice(what: str, given: str, choices: Collection[str]) -> None:
    if given not in choices:
        raise InputError(f"{what} {given!r} is unknown: use one of {', '.join(choices)}")


def _check_text(what: str, text: str) -> None:
    if encodable(text) != text:
        raise InputError(
            f"{what} {text!r} contains a lone surrogate, usually from a file name that is not UTF-8: remove it"
        )


def _check_message(rule: Rule, labels: set[str] | None) -> None:
    """Check a rule's message.

    Args:
        rule: the rule.
        labels: the names of the labels that its series may have; None: any, since a metric has not appeared yet.
    """
    message = rule.message
    if not isinstance(message, str):
        raise InputError(f'alert message {message!r} is not text: write one, such as "CPU: {{value:.1f}}%"')
    _check_text("alert message", message)
    words: dict[str, object] = {"value": 1.0, "metric": "m", "threshold": 1.0}
    words = words | dict.fromkeys({*(labels or ()), *rule.selected} - words.keys(), "label")
    try:
        parts = _parsed(message)
        for _, name, form in parts:
            _check_width(message, form)
            if name is None or name in words or (name and labels is None):
                continue
            raise InputError(
                f"alert message {message!r}: {{{name}}} is unknown; it may use "
                f"{', '.join(f'{{{known}}}' for known in words)}"
            )
        _worded(parts, words)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"alert message {message!r}: {str(error) or type(error).__name__}; write the value as {{value:.1f}}"
        ) from error


def _check_width(message: str, form: str) -> None:
    """Check that a format's width and precision are at most `MAX_WIDTH`, before anything is formatted with it."""
    for number in re.findall(r"\d+", form):
        # int() refuses numbers of thousands of digits.
        if len(number.lstrip("0")) > len(str(MAX_WIDTH)) or int(number) > MAX_WIDTH:
            raise InputError(
                f"alert message {message[:200]!r}: the format {form[:40]!r} asks for more than {MAX_WIDTH} characters "
                f"or digits: use {MAX_WIDTH} at most, as in {{value:.1f}}"
            )


def _parsed(message: str) -> list[Part]:
    """Return the parts of a format string.

    A name is looked up whole: ``{host.name}`` is the label ``host.name`` and not an attribute.
    """
    return [(literal, name, form or "") for literal, name, form, _ in string.Formatter().parse(message)]


def _worded(parts: list[Part], words: Mapping[str, object]) -> str:
    return "".join(
        literal if name is None else literal + format(words.get(name, ""), form) for literal, name, form in parts
    )


class _Nothing:
    """A number that does not exist: it accepts every format."""

    def __format__(self, form: str) -> str:
        return NOTHING
