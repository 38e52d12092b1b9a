"""Programs out of Debian's packages, for the tests that need them."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import debian


def test_a_package_that_several_tests_need_at_once_is_fetched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, fetched = debian._fetch, []

    def fetch_slowly(packages: list[str], marks: Path) -> None:
        fetched.append(packages)
        time.sleep(0.2)
        fetch(packages, marks)

    monkeypatch.setattr(debian, "ROOT", tmp_path)
    monkeypatch.setattr(debian, "_fetch", fetch_slowly)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: (debian.unpacked("hello") / "usr" / "bin" / "hello").exists(), range(3)))
    assert (found, fetched) == ([True] * 3, [["hello"]])
