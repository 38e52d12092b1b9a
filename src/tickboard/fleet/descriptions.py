"""Descriptions of hosts, cut to what a wall keeps: every viewer of the wall gets their texts."""

from msgspec.structs import replace

from tickboard.output.text import one_line
from tickboard.wire import About, RuleInfo

MAX_TITLE, MAX_VERSION, MAX_TIME, MAX_RULE_TEXT = 200, 100, 40, 500
"""The most characters of a board's title, of its version, of the time when it or its machine started, and of each text
of a rule."""

MAX_RULES, MAX_METRICS, MAX_LABELS = 1_000, 1_000, 100
"""The most rules, metrics and labels of one host. Of the labels, a wall uses fewer, and says so."""


def bounded(about: About) -> About:
    """Return a host's description with its texts on one line and cut, and no more than so many of everything."""
    return replace(
        about,
        title=one_line(about.title, MAX_TITLE),
        version=one_line(about.version, MAX_VERSION),
        started=one_line(about.started, MAX_TIME),
        booted=one_line(about.booted, MAX_TIME),
        labels=dict(list(about.labels.items())[:MAX_LABELS]),
        metrics=about.metrics[:MAX_METRICS],
        rules=[_rule(each) for each in about.rules[:MAX_RULES]],
    )


def _rule(rule: RuleInfo) -> RuleInfo:
    return replace(
        rule,
        condition=one_line(rule.condition, MAX_RULE_TEXT),
        message=one_line(rule.message, MAX_RULE_TEXT),
        metric=one_line(rule.metric, MAX_RULE_TEXT),
        name=one_line(rule.name, MAX_RULE_TEXT),
    )
