"""Broken links, missing anchors and loads from other hosts are found in a built site."""

from pathlib import Path

import pytest

import links


def site_of(folder: Path, **pages: str) -> Path:
    for name, html in pages.items():
        path = folder / f"{name.replace('__', '/')}.html"
        path.parent.mkdir(exist_ok=True)
        path.write_text(html)
    return folder


@pytest.mark.parametrize(
    "address",
    [
        "#here",
        "index.html",
        "guide/a.html",
        "guide/a.html#there",
        "guide/",
        "/guide/a.html",
        "https://example.com/",
        "mailto:me@example.com",
        "",
    ],
)
def test_a_good_link_is_not_a_problem(address: str, tmp_path: Path) -> None:
    site = site_of(
        tmp_path,
        index=f'<h1 id="here"></h1><a href="{address}">x</a>',
        guide__a='<a name="there"></a><a href="../index.html#here">x</a>',
        guide__index="",
    )
    assert list(links.problems(site)) == []


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ('<a href="gone.html">x</a>', "index.html links to gone.html: there is no such file"),
        ('<a href="../index.html">x</a>', "index.html links to ../index.html: there is no such file"),
        ('<img src="gone.png">', "index.html links to gone.png: there is no such file"),
        ('<a href="#gone">x</a>', "index.html links to #gone: there is no such anchor"),
        ('<a href="guide/a.html#gone">x</a>', "index.html links to guide/a.html#gone: there is no such anchor"),
        ('<script src="https://x.example/y.js"></script>', "index.html loads https://x.example/y.js from another host"),
        ('<link href="//x.example/y.css">', "index.html loads //x.example/y.css from another host"),
    ],
)
def test_a_bad_link_is_named_with_its_page(html: str, problem: str, tmp_path: Path) -> None:
    assert list(links.problems(site_of(tmp_path, index=html, guide__a=""))) == [problem]
