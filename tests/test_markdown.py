"""Markdown becomes elements: CommonMark and tables, links of known schemes, and never HTML."""

import msgspec
import pytest

from tickboard.errors import InputError
from tickboard.markdown import MOST_CHARACTERS, MOST_DEPTH, read_markdown
from tickboard.wire import Text, TextElement, TextNode, encode


def flat(nodes: list[TextNode]) -> str:
    """Return the elements as a short text: `p(a em(b))`."""
    return " ".join(node if isinstance(node, str) else f"{node.tag}({flat(node.content)})" for node in nodes)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("a *b* **c** ~~d~~ `e`", "p(a  em(b)   strong(c)   s(d)   code(e))"),
        ("a\nb\\\nc", "p(a \n b br() c)"),
        ("a\n\nb\n\n---", "p(a) p(b) hr()"),
        ("- a\n- b\n  - c", "ul(li(a) li(b ul(li(c))))"),
        ("- a\n\n- b", "ul(li(p(a)) li(p(b)))"),
        ("> a\n> > b", "blockquote(p(a) blockquote(p(b)))"),
        ("```py\nx = 1\n```", "pre(code(x = 1\n))"),
        ("a\n\n    x = 1", "p(a) pre(code(x = 1\n))"),
        ("| a | b |\n| - | - |\n| 1 | 2 |", "table(thead(tr(th(a) th(b))) tbody(tr(td(1) td(2))))"),
        (r"\*a\* &amp; &copy;", "p(*a* & ©)"),
    ],
)
def test_markdown_becomes_elements(markdown: str, expected: str) -> None:
    assert flat(read_markdown(markdown).content) == expected


def test_indentation_of_the_code_around_it_is_removed() -> None:
    text = read_markdown("""
        Ann

            tickboard
        """)
    assert flat(text.content) == "p(Ann) pre(code(tickboard\n))"


def test_a_heading_at_the_start_is_the_title() -> None:
    text = read_markdown("# On **call** `now`\nAnn\n## Later\nBob")
    assert (text.title, flat(text.content)) == ("On call now", "p(Ann) h4(Later) p(Bob)")
    assert read_markdown("# On call") == Text([], "On call")


def test_with_a_title_of_its_own_the_headings_stay() -> None:
    text = read_markdown("# On call\nAnn", "Who")
    assert (text.title, flat(text.content)) == ("Who", "h4(On call) p(Ann)")
    text = read_markdown("#\nAnn")
    assert (text.title, flat(text.content)) == ("", "h3() p(Ann)")


def test_headings_follow_those_of_the_page_without_a_gap() -> None:
    text = read_markdown("a\n# 1\n### 3\n#### 4\n##### 5\n###### 6\n# 1")
    assert flat(text.content) == "p(a) h3(1) h4(3) h5(4) h6(5) h6(6) h3(1)"


def test_an_ordered_list_begins_with_its_number_and_cells_are_aligned() -> None:
    assert read_markdown("0. a\n1. b").content == [
        TextElement("ol", [TextElement("li", ["a"]), TextElement("li", ["b"])], start=0)
    ]
    [table] = read_markdown("| a | b |\n| -: | - |").content
    assert isinstance(table, TextElement)
    row = TextElement("tr", [TextElement("th", ["a"], align="right"), TextElement("th", ["b"])])
    assert table.content == [TextElement("thead", [row])]


@pytest.mark.parametrize(
    "address",
    ["https://wiki.example/a?b=1&c=2", "http://a", "mailto:ann@example.com", "api/health", "#chart=cpu", "//a.example"],
)
def test_a_link_leads_to_the_web_to_mail_or_to_the_board(address: str) -> None:
    [paragraph] = read_markdown(f"[a]({address})").content
    assert paragraph == TextElement("p", [TextElement("a", ["a"], address)])


@pytest.mark.parametrize(
    "markdown",
    [
        "[a](javascript:alert(1))",
        "[a](JavaScript:alert(1))",
        "[a](&#106;avascript:alert(1))",
        "[a](vbscript:x)",
        "[a](data:text/html;base64,PHNjcmlwdD4=)",
        "![a](data:image/png;base64,aaaa)",
        "[a](file:///etc/passwd)",
        "[a](blob:x)",
        "<javascript:alert(1)>",
        "[a]\n\n[a]: javascript:alert(1)",
    ],
)
def test_a_link_of_any_other_scheme_is_shown_as_it_is_written(markdown: str) -> None:
    assert " a(" not in f" {flat(read_markdown(markdown).content)}"


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<b>a</b>",
        "<!-- a -->",
        "<svg/onload=alert(1)>",
        "<iframe src=https://a.example></iframe>",
    ],
)
def test_html_is_text_like_any_other(html: str) -> None:
    assert read_markdown(html).content == [TextElement("p", [html])]
    assert read_markdown(f"a {html}").content == [TextElement("p", [f"a {html}"])]


def test_an_image_is_a_link_to_it() -> None:
    [paragraph] = read_markdown("![a](https://a.example/b.png) ![](c.png) [![d](d.png)](e)").content
    assert isinstance(paragraph, TextElement)
    assert paragraph.content == [
        TextElement("a", ["a"], "https://a.example/b.png"),
        " ",
        TextElement("a", ["c.png"], "c.png"),
        " ",
        TextElement("a", ["d"], "e"),
    ]


def test_every_element_is_one_that_the_page_knows() -> None:
    markdown = "# a\n\n> *b* **c** ~~d~~ `e` [f](g)\\\n> h\n\n1. i\n\n---\n- j\n\n| k |\n| :-: |\n| l |\n\n```\nm\n```"
    text = read_markdown(markdown, "Title")
    assert msgspec.json.decode(encode(text), type=Text) == text


@pytest.mark.parametrize("markdown", ["", " \n ", "[a]: http://a.example"])
def test_an_empty_text_is_refused(markdown: str) -> None:
    with pytest.raises(InputError, match="is empty: give it some Markdown"):
        read_markdown(markdown)


def test_a_text_that_is_too_long_is_refused() -> None:
    read_markdown("a" * MOST_CHARACTERS)
    with pytest.raises(InputError, match="has 20,001 characters: give 20,000 or fewer"):
        read_markdown("a" * (MOST_CHARACTERS + 1))


@pytest.mark.parametrize("markdown", [">" * 100 + "a", "- " * 100 + "a", "*a " * 3000 + "b* " * 3000])
def test_elements_that_are_nested_too_deeply_are_refused(markdown: str) -> None:
    with pytest.raises(InputError, match=f"nested more than {MOST_DEPTH} deep: nest them less"):
        read_markdown(markdown)


@pytest.mark.parametrize("markdown", ["![" * 2000, "*" * 5000 + "a", "[a](" * 2000, "a" + "`" * 9000, "| a " * 2000])
def test_what_looks_like_nesting_is_text(markdown: str) -> None:
    assert flat(read_markdown(markdown).content) == f"p({markdown.strip()})"
