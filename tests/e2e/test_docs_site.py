"""The docs site, built and opened in a browser: nothing is broken or loaded from other hosts."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.e2e.conftest import Watched

import docs_hooks

ROOT = Path(__file__).parents[2]


class Quiet(SimpleHTTPRequestHandler):
    """Serve files without logging."""

    def log_message(self, format: str, *args: object) -> None:
        pass


def build(*flags: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Build a site with the flags that `make docs` uses."""
    recipe = re.search(r"\$\(BIN\)/mkdocs (build .*)", (ROOT / "Makefile").read_text())
    assert recipe
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", *recipe[1].split(), *flags],
        cwd=cwd,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the site, built like `make docs`."""
    folder = tmp_path_factory.mktemp("site")
    done = build("--site-dir", str(folder))
    assert done.returncode == 0, done.stdout
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_search_finds_a_name_and_no_other_host_is_contacted(site: str, watched: Watched) -> None:
    page = watched.page
    page.goto(f"{site}/index.html")
    search = page.get_by_role("textbox", name="Search")
    search.click()
    # Until its index is loaded, the page takes no notice of what is typed.
    expect(page.locator(".md-search-result__meta")).to_have_text("Type to start searching")
    search.press_sequentially("serve_in_background")
    page.locator(".md-search-result__link", has_text="serve_in_background").first.click()
    expect(page.locator("h1")).to_have_text("Python¶")
    expect(page.locator("[id='tickboard.serve_in_background']")).to_be_in_viewport()
    page.goto(f"{site}/reference/http.html")
    expect(page.locator("h2").first).to_contain_text("GET /api/")
    assert watched.errors == []
    assert watched.hosts == {site.removeprefix("http://")}


@pytest.mark.timeout(120)
def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "mkdocs.yml").write_text(f"site_name: x\nhooks: [{ROOT / 'tools' / 'docs_hooks.py'}]\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text('# Here\n\n<a href="#gone">there</a>\n')
    done = build(cwd=tmp_path)
    assert done.returncode == 1
    assert "index.html links to #gone: there is no such anchor" in done.stdout


def test_a_missing_table_of_benchmarks_is_an_error() -> None:
    assert docs_hooks.benchmark("The page: what is loaded first").startswith("| file |")
    with pytest.raises(ValueError, match="no table under 'The cat'"):
        docs_hooks.benchmark("The cat")
