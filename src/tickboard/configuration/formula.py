"""Formulas: conditions written as text, ``(cpu_usage > 80) & (load.last > 4)``, as in ``tickboard.toml``.

`parse_condition` takes a formula and the board's metrics. It returns the same expression that a dashboard file makes in
Python, or raises one error with the text, the column and the fix. Nothing is evaluated: the text is split into tokens,
and only those that are allowed in a condition are passed to Python's own parser. Each allowed node of its tree becomes
an object of `tickboard.expressions`.
"""

import ast
import keyword
import operator
import re
from collections.abc import Callable
from functools import partial
from math import isfinite
from typing import Any, TypeVar

from tickboard.errors import InputError
from tickboard.expressions.expr import STATS, Condition, Measured, Operand, Reading, operand
from tickboard.expressions.functions import absent, anomaly, metric, total
from tickboard.metrics.registry import Registry

MAX_LENGTH = 4_000
"""The most characters in one formula."""

MAX_DEPTH = 100
"""The most expressions nested in each other; ``a & b & c`` is two."""

T = TypeVar("T")
Value = Operand | float

_SPACE = r"[ \t\r\n]"
_TOKEN = re.compile(
    rf"(?P<space>{_SPACE}+)"
    rf"|(?P<label>[A-Za-z_][A-Za-z0-9_.]*(?={_SPACE}*=(?!=)))"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.]))"
    r"""|(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
    r"|(?P<sign>&&|\|\||[<>]=?|[=!]=?|[-+*/&|~(),.])"
)
_ESCAPES = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "r": "\r", "t": "\t"}
_SIDES = "each side of & and | is a condition in parentheses: write (cpu_usage > 80) & (load > 4)"
_EXAMPLE = "cpu_usage > 90 or (cpu_usage > 80) & (load > 4)"

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISON: dict[type[ast.cmpop], Callable[[Any, Any], Condition]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}
_FIXES = {
    "&&": "write & with each side in parentheses, as (a > 1) & (b > 2)",
    "||": "write | with each side in parentheses, as (a > 1) | (b > 2)",
    "!": "write ~ before a condition in parentheses, as ~(a > 1)",
    "=": "compare with >, >=, < or <=; a measured value is hardly ever equal to a number",
    "==": "compare with >, >=, < or <=; a measured value is hardly ever equal to a number",
    "!=": "compare with >, >=, < or <=; a measured value is hardly ever equal to a number",
    "and": "write & with each side in parentheses, as (a > 1) & (b > 2)",
    "or": "write | with each side in parentheses, as (a > 1) | (b > 2)",
    "not": "write ~ before a condition in parentheses, as ~(a > 1)",
}
"""What to write instead of operators of other languages."""


def parse_condition(text: str, registry: Registry) -> Condition:
    """Parse a formula and return its condition.

    Args:
        text: a formula of metrics with an optional stat and span, as ``load``, ``cpu.avg``, ``cpu.p95("30s")``,
            numbers, ``+ - * /``, comparisons, ``& | ~``, ``absent(x)``, ``anomaly(x)``, ``total(x, by="label")`` and
            ``metric("name", label="value")``.
        registry: has the metrics that can be named without ``metric()``.

    Raises:
        InputError: the formula is invalid.
    """
    formula = _Formula(text, registry)
    found = formula.parse()
    if isinstance(found, Condition):
        return found
    shown = operand(found).text()
    raise formula.error(0, f"{_shortened(shown)} is not a condition: compare it with something, as in cpu > 90")


class _Formula:
    """Parses one formula.

    Places are indices into the text. Python's parser gets a source of the same length, in which texts, labels and
    keywords are replaced by ``x``, so its columns are these places.
    """

    def __init__(self, text: str, registry: Registry) -> None:
        self._text = text
        self._registry = registry
        self._begin = 0
        self._texts: dict[int, str] = {}
        self._names: dict[int, str] = {}

    def parse(self) -> Value:
        text = self._text
        if len(text) > MAX_LENGTH:
            raise self.error(MAX_LENGTH, f"it is longer than {MAX_LENGTH} characters: split it into several rules")
        source = self._source()
        begin = len(source) - len(source.lstrip())
        if begin == len(source):
            raise self.error(0, f"it is empty: write a condition, as {_EXAMPLE}")
        try:
            tree = ast.parse(source[begin:], mode="eval")
        except SyntaxError as error:
            raise self._syntax_error(begin, error) from error
        except (RecursionError, MemoryError) as error:
            raise self._depth_error(begin) from error
        self._begin = begin
        return self._read(tree.body, 0)

    def error(self, place: int, message: str) -> InputError:
        """Return the error for a place in the text."""
        return InputError(f"condition {_excerpt(self._text, place)}, column {place + 1}: {message}")

    def _syntax_error(self, begin: int, error: SyntaxError) -> InputError:
        if "too many nested" in error.msg:
            return self._depth_error(begin)
        problem = error.msg if "closed" in error.msg or "unmatched" in error.msg else "this is not a condition"
        # If the text ends too soon, Python reports the start of the next line.
        ends = error.lineno != 1 or not error.offset
        place = len(self._text.rstrip()) if ends else begin + (error.offset or 1) - 1
        return self.error(place, f"{problem}: write one as {_EXAMPLE}")

    # --- from text to source ---

    def _source(self) -> str:
        """Return the source for Python's parser, and store what is replaced in it."""
        source, place, last = "", 0, ""
        calls: list[bool] = []
        while place < len(self._text):
            token = _TOKEN.match(self._text, place)
            if token is None:
                raise self._character_error(place)
            kind, written = token.lastgroup or "", token[0]
            if written == "(":
                calls.append(last == "word")
            elif written == ")" and calls:
                calls.pop()
            if kind == "text" and last in {"text", "word"}:
                raise self.error(
                    place,
                    f"{_shortened(written)} follows another word directly: put an operator or a comma between them",
                )
            source += self._token_source(kind, written, place, bool(calls and calls[-1]))
            if kind != "space":
                last = kind
            place = token.end()
        return source

    def _token_source(self, kind: str, written: str, place: int, in_call: bool) -> str:
        """Return a token's source for Python's parser, of the same length."""
        if kind == "space":
            return " " * len(written)
        if kind == "text":
            self._texts[place] = self._unescaped(written, place)
            return f'"{"x" * (len(written) - 2)}"'
        if kind == "label" and in_call:
            self._names[place] = written
            return "x" * len(written)
        if written in _FIXES and not (written == "=" and in_call):
            raise self.error(place, f"{written} is not allowed here: {_FIXES[written]}")
        if kind == "word" and keyword.iskeyword(written):
            # A keyword of Python, which may be part of a metric's name, such as disk.in.
            self._names[place] = written
            return "x" * len(written)
        return written

    def _unescaped(self, written: str, place: int) -> str:
        def unescape(found: re.Match[str]) -> str:
            if found[1] not in _ESCAPES:
                raise self.error(place + found.start() + 1, rf"there is no \{found[1]}: write \\ for a backslash")
            return _ESCAPES[found[1]]

        return re.sub(r"\\(.)", unescape, written[1:-1], flags=re.DOTALL)

    def _character_error(self, place: int) -> InputError:
        character = self._text[place]
        if character in "\"'":
            return self.error(place, f"a text begins with {character} and does not end: close it on the same line")
        if character.isdigit() or character == ".":
            return self.error(place, "this is not a number: write it as 90, 0.5 or 1e9")
        if character == "#":
            return self.error(place, "comments are not allowed here: put it after the text, or on a line of its own")
        shown = character if character.isprintable() else ascii(character)[1:-1]
        return self.error(
            place, f"{shown} is not allowed here: write names, numbers, + - * /, > >= < <=, & | ~ and parentheses"
        )

    # --- from tree to expression ---

    def _read(self, node: ast.expr, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise self._depth_error(self._place(node))
        match node:
            case ast.Constant():
                return self._number(node)
            case ast.Name() | ast.Attribute():
                return self._name(node, depth)
            case ast.Call():
                return self._call(node, depth)
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                return self._junction(node, depth)
            case ast.BinOp():
                return self._arithmetic(node, depth)
            case ast.UnaryOp():
                return self._unary(node, depth)
            case ast.Compare():
                return self._comparison(node, depth)
        raise self.error(self._place(node), f"this is not allowed in a condition: write one as {_EXAMPLE}")

    def _place(self, node: ast.expr | ast.keyword) -> int:
        return self._begin + node.col_offset

    def _made(self, node: ast.expr, make: Callable[[], T]) -> T:
        """Return what `make` returns. An InputError becomes an error with the place of a node."""
        try:
            return make()
        except InputError as error:
            raise self.error(self._place(node), str(error)) from error

    def _number(self, node: ast.Constant) -> float:
        if isinstance(node.value, str):
            raise self.error(
                self._place(node), "a text is not allowed here: write a name without quotes, or metric(…) around it"
            )
        number = node.value
        if not isinstance(number, int | float):
            # Three dots are a constant of Python.
            raise self.error(self._place(node), f"this is not a condition: write one as {_EXAMPLE}")
        return self._finite(node, lambda: float(number))

    def _finite(self, node: ast.expr, compute: Callable[[], float]) -> float:
        try:
            number = compute()
        except (OverflowError, ZeroDivisionError):
            number = float("nan")
        if not isfinite(number):
            raise self.error(self._place(node), "this is not a finite number: write one")
        return number

    def _unary(self, node: ast.UnaryOp, depth: int) -> Value:
        inner = self._read(node.operand, depth + 1)
        if isinstance(node.op, ast.Invert):
            if not isinstance(inner, Condition):
                raise self.error(
                    self._place(node), "~ negates a condition: put one in parentheses, as ~(cpu_usage > 90)"
                )
            return ~inner
        if not isinstance(inner, float):
            raise self.error(
                self._place(node), "a sign can only come before a number: write 0 - x for the negative of x"
            )
        return -inner if isinstance(node.op, ast.USub) else inner

    def _arithmetic(self, node: ast.BinOp, depth: int) -> Value:
        compute = _ARITHMETIC.get(type(node.op))
        if compute is None:
            raise self.error(self._place(node.right), "this operator is not supported: use +, -, * and /")
        left, right = self._read(node.left, depth + 1), self._read(node.right, depth + 1)
        if isinstance(left, float) and isinstance(right, float):
            return self._finite(node, lambda: compute(left, right))
        made: Operand = compute(left, right)
        return made

    def _junction(self, node: ast.BinOp, depth: int) -> Condition:
        sides = []
        for side in (node.left, node.right):
            found = self._read(side, depth + 1)
            if not isinstance(found, Condition):
                raise self.error(self._place(side), _SIDES)
            sides.append(found)
        return sides[0] & sides[1] if isinstance(node.op, ast.BitAnd) else sides[0] | sides[1]

    def _comparison(self, node: ast.Compare, depth: int) -> Condition:
        compare = _COMPARISON.get(type(node.ops[0]))
        assert compare is not None  # no other operator is passed to the parser
        sides = [node.left, *node.comparators]
        if len(sides) > 2:
            for side in sides:
                # a > 1 & b > 2 is, to Python, a > (1 & b) > 2.
                if isinstance(side, ast.BinOp) and isinstance(side.op, ast.BitAnd | ast.BitOr):
                    raise self.error(self._place(side), _SIDES)
            raise self.error(self._place(sides[2]), "comparisons cannot be chained: write (1 < x) & (x < 2)")
        left, right = (self._read(side, depth + 1) for side in sides)
        if isinstance(left, float) and isinstance(right, float):
            raise self.error(self._place(node), "this compares two numbers: compare a metric with something")
        return compare(left, right)

    def _name(self, node: ast.Name | ast.Attribute, depth: int) -> Operand:
        """Return the metric with the longest name that a dotted name begins with, or the stat after that name."""
        inner, words = self._words(node)
        if inner is not None:
            found = self._read(inner, depth + 1)
            if not isinstance(found, Operand):
                raise self.error(self._place(inner), "a number has no stats: write the name of a metric")
            return self._stat(node, found, words)
        for length in range(len(words), 0, -1):
            name = ".".join(words[:length])
            if name in self._registry.metrics:
                return self._stat(node, self._metric(name), words[length:])
        raise self._name_error(node, words)

    def _words(self, node: ast.expr) -> tuple[ast.expr | None, list[str]]:
        """Return the words of a dotted name, and the expression before them if it does not begin with a name."""
        words: list[str] = []
        while isinstance(node, ast.Attribute):
            assert node.end_col_offset is not None  # Python's parser gives it
            place = self._begin + node.end_col_offset - len(node.attr)
            words.append(self._names.get(place, node.attr))
            node = node.value
        if isinstance(node, ast.Name):
            return None, [self._names.get(self._place(node), node.id), *reversed(words)]
        return node, words[::-1]

    def _metric(self, name: str) -> Operand:
        try:
            return self._registry.handle(name)
        except InputError:
            # A metric that a histogram declares in addition has no handle.
            return Reading(name)

    def _stat(self, node: ast.expr, found: Operand, words: list[str]) -> Operand:
        for word in words:
            name = operand(found).text()
            if not isinstance(found, Measured):
                raise self.error(
                    self._place(node), f"{_shortened(name)} has no stats: write one after the name of a metric"
                )
            if word not in STATS:
                raise self.error(
                    self._place(node),
                    f"{_shortened(name)} has no {_shortened(word)}: its stats are {', '.join(STATS)}; for a metric "
                    'that does not exist yet, write metric("…")',
                )
            found = self._made(node, partial(found.reading, word))
        return operand(found)

    def _name_error(self, node: ast.expr, words: list[str]) -> InputError:
        if len(words) > 1 and words[-1] in STATS:
            words = words[:-1]
        name = ".".join(words)
        metrics = self._registry.metrics
        from difflib import get_close_matches

        close = get_close_matches(name, metrics, 3, 0.6) or [known for known in metrics if name in known][:3]
        meant = " or ".join(Reading(known).text() for known in close)
        fix = f"write {meant}" if close else "write a metric's name"
        return self.error(
            self._place(node),
            f'{_shortened(name)} is not a metric of this board: {fix}, or metric("{_shortened(name)}") for one that '
            "does not exist yet",
        )

    # --- calls ---

    def _call(self, node: ast.Call, depth: int) -> Operand:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "metric":
            return self._named_metric(node)
        if name == "total":
            return self._total(node, depth)
        if node.keywords:
            raise self.error(self._place(node.keywords[0]), "only metric(…) takes labels: leave them out")
        if name == "absent":
            (what,) = self._arguments(node, 1, 'absent(cpu_usage) or absent(metric("queue.depth"))')
            return self._made(node, partial(absent, self._measured(what, depth)))
        if name == "anomaly":
            what, *span = self._arguments(node, 2, 'anomaly(cpu_usage) or anomaly(cpu_usage, "5m")')
            measured, spans = self._measured(what, depth), [self._literal(one) for one in span]
            if not isinstance(measured, Measured):
                raise self.error(self._place(what), "it takes one metric: write anomaly(cpu_usage)")
            return self._made(node, lambda: anomaly(measured, *spans))
        if name and name not in self._registry.metrics:
            raise self.error(
                self._place(node),
                f"there is no {name}(…): there are metric(…), absent(…), anomaly(…) and total(…), and stats, as "
                "cpu_usage.max",
            )
        return self._spanned(node, depth)

    def _spanned(self, node: ast.Call, depth: int) -> Operand:
        found = self._read(node.func, depth + 1)
        (span,) = self._arguments(node, 1, 'a span of the window after a stat, as cpu_usage.avg("30s")')
        if not isinstance(found, Reading):
            raise self.error(self._place(node), 'only the stat of a metric takes a span: write cpu_usage.avg("30s")')
        return self._made(node, partial(found, self._literal(span)))

    def _named_metric(self, node: ast.Call) -> Operand:
        (name,) = self._arguments(node, 1, 'metric("queue.depth") or metric("cpu_usage", host="a")')
        labels: dict[str, str] = {}
        for given in node.keywords:
            label = self._names.get(self._place(given), "")
            if label in labels or not label:
                raise self.error(self._place(given), 'give each label once, by name: write metric("load", host="a")')
            labels[label] = self._literal(given.value)
        return self._made(node, partial(metric, self._literal(name), **labels))

    def _total(self, node: ast.Call, depth: int) -> Operand:
        fix = 'total(requests), total(requests, by="env") or total(requests, by=("env", "region"))'
        (what,) = self._arguments(node, 1, fix)
        for given in node.keywords:
            if len(node.keywords) > 1 or self._names.get(self._place(given)) != "by":
                raise self.error(self._place(given), f"total(…) takes a metric and by: write {fix}")
        by = [
            self._literal(label)
            for given in node.keywords
            for label in (given.value.elts if isinstance(given.value, ast.Tuple) else [given.value])
        ]
        return self._made(node, partial(total, self._measured(what, depth), by))

    def _arguments(self, node: ast.Call, most: int, fix: str) -> list[ast.expr]:
        if not 1 <= len(node.args) <= most or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.error(self._place(node), f"these arguments are not valid: write {fix}")
        return node.args

    def _literal(self, node: ast.expr) -> str:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            raise self.error(self._place(node), 'text is needed here: put it in quotes, as "30s"')
        return self._texts[self._place(node)]

    def _measured(self, node: ast.expr, depth: int) -> Operand:
        found = self._read(node, depth + 1)
        if isinstance(found, float):
            raise self.error(self._place(node), "a number is not enough here: write the name of a metric")
        return found

    def _depth_error(self, place: int) -> InputError:
        return self.error(
            place, f"more than {MAX_DEPTH} expressions are nested in each other: split it into several rules"
        )


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


def _excerpt(text: str, place: int) -> str:
    """Return the part of a text around a place, as a literal on one line."""
    begin, end = max(0, place - 40), place + 40
    return f"{'…' * (begin > 0)}{text[begin:end]!r}{'…' * (end < len(text))}"
