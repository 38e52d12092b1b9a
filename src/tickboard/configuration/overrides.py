"""Overrides: the changes that a configuration makes to the rules of a board, and the rules that it adds.

It takes the rules that a dashboard file declares, and returns new ones; rules are never changed in place. An error has
the line of the key in the configuration.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec import UNSET
from msgspec.structs import replace

from tickboard import schedule
from tickboard.alerting.rules import Rule, check_rule
from tickboard.configuration.config import Config, RuleTable
from tickboard.configuration.formula import parse_condition
from tickboard.configuration.toml import KeyPath, shown_path
from tickboard.errors import InputError
from tickboard.expressions.expr import Condition
from tickboard.metrics.registry import Registry

T = TypeVar("T")


def overridden(rules: Iterable[Rule], config: Config, registry: Registry) -> list[Rule]:
    """Return the rules of a board with the changes of a configuration, in their order, followed by its new rules.

    Args:
        rules: the declared rules.
        config: its keys replace those of the declared rules.
        registry: the board's metrics, for conditions.

    Raises:
        BoardError: a condition, a message or a threshold cannot be used, or a new rule lacks a condition or a message.
    """
    found = {rule.name: rule for rule in rules}
    for name, table in config.rules.items():
        made = _Override(config, name, table, registry).apply(found)
        if table.enabled:
            found[name] = made
        else:
            found.pop(name, None)
    return list(found.values())


class _Override:
    """Applies one table ``[rules.NAME]``."""

    def __init__(self, config: Config, name: str, table: RuleTable, registry: Registry) -> None:
        self._toml = config.toml
        self._name = name
        self._table = table
        self._registry = registry

    def apply(self, rules: dict[str, Rule]) -> Rule:
        """Return the rule of this name, changed or new."""
        declared = rules.get(self._name)
        changed = self._changed(self._new(rules) if declared is None else declared)
        self._at(self._name_of_rule(), lambda: check_rule(changed, self._registry.metrics))
        return changed

    def _new(self, rules: Iterable[str]) -> Rule:
        when, message = self._table.when, self._table.message
        if when is UNSET or message is UNSET:
            lacking = " and ".join(key for key, value in (("when", when), ("message", message)) if value is UNSET)
            from difflib import get_close_matches

            close = get_close_matches(self._name, rules, 1, 0.5)
            meant = f", or write {shown_path(('rules', close[0]))}, which exists" if close else ""
            raise self._toml.error(
                self._path(), f"no rule of this board has this name, and a new one needs {lacking}: add it{meant}"
            )
        return Rule(self._name, self._condition("when", when), message, "warning")

    def _changed(self, rule: Rule) -> Rule:
        table = self._table
        if table.when is not UNSET:
            rule = replace(rule, condition=self._condition("when", table.when))
        if table.threshold is not UNSET:
            number, watched = table.threshold, rule.condition
            rule = replace(rule, condition=self._at("threshold", lambda: watched.with_threshold(number)))
        if table.clear is not UNSET:
            rule = replace(rule, clear=self._condition("clear", table.clear))
        given = {
            "message": table.message,
            "severity": table.severity,
            "for_s": _seconds(table.for_),
            "keep_s": _seconds(table.keep),
            "no_data": table.no_data,
        }
        rule = replace(rule, **{key: value for key, value in given.items() if value is not UNSET})
        for key in ("when", "clear"):
            if getattr(table, key) is not UNSET:
                # Errors that are found later, such as a span longer than the window, are reported at this key.
                return replace(rule, file=self._toml.file, line=self._toml.line(self._path(key)))
        return rule

    def _condition(self, key: str, text: str) -> Condition:
        return self._at(key, lambda: parse_condition(text, self._registry))

    def _name_of_rule(self) -> str:
        """Return the key to name in the error if the message and the condition don't fit together."""
        for key in ("message", "when"):
            if getattr(self._table, key) is not UNSET:
                return key
        return ""

    def _path(self, key: str = "") -> KeyPath:
        return ("rules", self._name, key) if key else ("rules", self._name)

    def _at(self, key: str, make: Callable[[], T]) -> T:
        """Return what `make` returns. An InputError becomes an error with the line of a key."""
        try:
            return make()
        except InputError as error:
            raise self._toml.error(self._path(key), str(error)) from error


def _seconds(duration: object) -> object:
    return schedule.duration(duration) if isinstance(duration, str) else duration
