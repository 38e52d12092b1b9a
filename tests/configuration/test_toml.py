"""A TOML document knows the line of each key, and an invalid one raises one error with its line."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.configuration.toml import MAX_BYTES, KeyPath, read_toml, shown_path
from tickboard.errors import BoardError

TEXT = '''# what is watched
title = "a # b"

[rules.cpu_usage]  # "not" = 1
severity = "info"
message = """
[not.a.table]
not_a_key = 1
with \\""" quotes """""
clear = \'\'\'
x = 1\'\'\'

[rules."latency.p95"]
when.first = [
  1, # ] = 2
  2,
]
when.second = { a = 1, "b" = "}" }

[[other]]
name = 'it is' # '
[[other]]
name = "twice"
'''


def error_of(data: bytes) -> BoardError:
    with pytest.raises(BoardError) as caught:
        read_toml(data, "tickboard.toml")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("tickboard.toml:")
    return caught.value


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), None),
        (("title",), 2),
        (("rules",), 4),
        (("rules", "cpu_usage"), 4),
        (("rules", "cpu_usage", "severity"), 5),
        (("rules", "cpu_usage", "message"), 6),
        (("rules", "cpu_usage", "clear"), 10),
        (("rules", "latency.p95"), 13),
        (("rules", "latency.p95", "when"), 14),
        (("rules", "latency.p95", "when", "first"), 14),
        (("rules", "latency.p95", "when", "second"), 18),
        (("rules", "latency.p95", "when", "second", "a"), 18),
        (("other", "name"), 21),
        (("rules", "nowhere", "else"), 4),
        (("nowhere",), None),
    ],
)
def test_each_key_has_its_line(path: KeyPath, line: int | None, end: str) -> None:
    document = read_toml(TEXT.replace("\n", end).encode(), "tickboard.toml")
    assert document.values == tomllib.loads(TEXT)
    assert document.line(path) == line


def test_an_empty_file_is_an_empty_document() -> None:
    for data in (b"", b"\n\n", b"# nothing", b"\xef\xbb\xbf"):
        assert read_toml(data, "tickboard.toml").values == {}


def test_the_last_line_needs_no_newline() -> None:
    assert read_toml(b"\n\na = 1", "tickboard.toml").line(("a",)) == 3


def test_an_error_names_the_file_the_line_and_the_key() -> None:
    document = read_toml(TEXT.encode(), "folder/tickboard.toml")
    assert str(document.error(("rules", "latency.p95"), "no")) == 'folder/tickboard.toml:13: rules."latency.p95": no'
    assert str(document.error((), "no")) == "folder/tickboard.toml: no"


def test_a_key_path_is_shown_on_one_short_line() -> None:
    assert shown_path(("rules", 'a"\n\\')) == r'rules."a\"\n\\"'
    assert shown_path(("x" * 60 + " ",)) == f'"{"x" * 57}…"'


# --- invalid TOML ---


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = \n", 2),
        ("a = 1\n\nb == 2\n", 3),
        ("a = 1\na = 2\n", 2),
        ("a = 'x\n", 1),
        ('\na = """x\n\n', 2),
        ("[a\n", 1),
        ("a = 1979-99-99\n", 1),
    ],
)
def test_a_syntax_error_is_reported_with_its_line(text: str, line: int) -> None:
    error = error_of(text.encode())
    assert error.message.startswith("it is not valid TOML: ")
    assert "(at " not in error.message
    assert error.line == line


def test_bytes_that_are_not_utf_8_are_reported_with_their_line() -> None:
    error = error_of(b"a = 1\nb = '\xff'\n")
    assert "not UTF-8" in error.message
    assert error.line == 2


def test_a_file_that_is_too_large_is_refused() -> None:
    assert read_toml(b"#" * MAX_BYTES, "tickboard.toml").values == {}
    assert "more than 1024 KiB" in error_of(b"#" * (MAX_BYTES + 1)).message


@pytest.mark.parametrize("bracket", ["[", "{a="])
def test_a_deeply_nested_value_is_refused(bracket: str) -> None:
    assert "nested too deeply" in error_of(b"a = " + bracket.encode() * 100_000).message


def test_a_number_with_too_many_digits_is_refused() -> None:
    assert "digits" in error_of(b"a = " + b"1" * 10_000).message


@given(st.binary(max_size=60) | st.text("ab1 =#[]{}'\"\\\n.,-", max_size=60).map(str.encode))
def test_any_bytes_give_a_document_or_one_error(data: bytes) -> None:
    try:
        read_toml(data, "tickboard.toml")
    except BoardError:
        error_of(data)


# --- any document ---

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=6) | st.sampled_from(["a", "b-1", ""])
texts = st.text(st.sampled_from("ab =#[]{}'\"\\\n.,"), max_size=12)


def quoted(text: str) -> str:
    escaped = "".join(f"\\U{ord(one):08x}" if one in '"\\' or not one.isprintable() else one for one in text)
    return f'"{escaped}"'


def literal(text: str) -> str:
    return f"'''{text}'''" if "'" not in text else quoted(text)


def block(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"""', '""\\"')
    return f'"""\n{escaped}"""' if not escaped.endswith('"') else quoted(text)


def array(items: list[str]) -> str:
    return "[ # ]\n" + ", # x\n".join(items) + "\n]"


def inline_table(items: dict[str, str]) -> str:
    return "{" + ", ".join(f"{key} = {value}" for key, value in items.items()) + "}"


values = st.recursive(
    texts.map(quoted) | texts.map(literal) | texts.map(block) | st.integers(-(2**63), 2**63 - 1).map(str),
    lambda inner: (
        st.lists(inner, max_size=3).map(array) | st.dictionaries(names.map(quoted), inner, max_size=3).map(inline_table)
    ),
    max_leaves=5,
)
keys = names.map(lambda name: name if name.isascii() and name.isalnum() else quoted(name))
pairs = st.tuples(st.lists(keys, min_size=1, max_size=3).map(" . ".join), values).map(" = ".join)
headers = (
    st.lists(keys, min_size=1, max_size=3)
    .map(".".join)
    .flatmap(lambda path: st.sampled_from([f"[{path}]", f"[[{path}]]", f"[ {path} ] # ]"]))
)
statements = st.lists(pairs | headers | st.just("# a = 1") | st.just(""), max_size=6)


def found(value: Any, path: KeyPath) -> bool:
    if not path:
        return True
    if isinstance(value, list):
        return any(found(item, path) for item in value)
    return isinstance(value, dict) and path[0] in value and found(value[path[0]], path[1:])


def good(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


@given(statements)
def test_the_line_of_a_key_is_that_of_the_first_statement_that_defines_it(written: list[str]) -> None:
    kept: list[str] = []
    for statement in written:
        if good("\n".join([*kept, statement])) is not None:
            kept.append(statement)
    lines = "\n".join(kept).split("\n")
    ends = {1 + sum(one.count("\n") + 1 for one in kept[:index]): index + 1 for index in range(len(kept))}
    document = read_toml("\n".join(kept).encode(), "tickboard.toml")
    assert bool(document.lines) == bool(document.values)
    # Parsing prefixes of the text with tomllib is a second opinion.
    for path, line in document.lines.items():
        assert not found(good("\n".join(lines[: line - 1])), path)
        assert found(good("\n".join(kept[: ends[line]])), path)


@pytest.mark.parametrize("text", ["{}a = 1", "[{}a]", "x = {{ {}a = 1 }}", "[[{}a]]"])
def test_a_key_with_very_many_parts_is_refused_before_parsing(text: str) -> None:
    """Parsing one takes time and memory quadratic in its length."""
    with pytest.raises(BoardError, match="f:3: the line has more than 1000 dots: split it into several"):
        read_toml(b"a = 1\n\n" + text.format("a." * 100_000).encode(), "f")


def test_dots_in_comments_are_allowed_and_a_deep_key_has_the_line_of_its_table() -> None:
    deep = "a." * 999
    toml = read_toml(f"  # {'.' * 2_000}\n[{deep}a]\nb = 1\n".encode(), "f")
    assert toml.line(("a",) * 1_000 + ("b",)) == 2
    assert len(toml.lines) <= 20


@pytest.mark.parametrize("number", [f"0x{'f' * 10_000}", f"[[{2**63}]]", f"{{ b = [-{2**63 + 1}] }}"])
def test_a_number_with_more_than_64_bits_is_refused(number: str) -> None:
    with pytest.raises(BoardError, match=r"f:2: a(\.b)?: the number has more than 64 bits"):
        read_toml(f"x = [{2**63 - 1}, -{2**63}]\na = {number}".encode(), "f")


def test_a_long_name_in_a_key_path_is_truncated() -> None:
    assert shown_path(("rules", "a" * 60)) == f"rules.{'a' * 60}"
    assert shown_path(("rules", "a" * 61)) == f'rules."{"a" * 57}…"'
