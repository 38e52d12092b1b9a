"""tools/proxies.py reports what is missing, and fails only where tests must not be skipped."""

from pathlib import Path

import pytest

import proxies


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKBOARD_PROXIES", str(tmp_path / "proxies"))
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)


def test_without_apt_the_reason_is_printed_and_the_tests_are_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert proxies.main() == 0
    said = capsys.readouterr().err
    assert "nginx, caddy, apache2-bin, haproxy could not be fetched: this machine has no apt-get" in said
    assert "their tests are skipped" in said


def test_a_missing_proxy_is_an_error_in_ci(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CI", "1")
    assert proxies.main() == 1
    assert "CI is set, so this is an error" in capsys.readouterr().err


def test_a_failed_download_is_reported_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("CI", raising=False)
    for name in ("apt-get", "dpkg-deb"):
        (tmp_path / name).write_text("#!/bin/sh\necho one >&2\necho the mirror is away >&2\nexit 100\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(
        "shutil.which", lambda name, **_: str(tmp_path / name) if name.startswith(("apt", "dpkg")) else None
    )
    assert proxies.main() == 0
    assert "could not be fetched: the mirror is away" in capsys.readouterr().err


def test_an_unpacked_program_is_preferred_to_an_installed_one(tmp_path: Path) -> None:
    program = tmp_path / "proxies" / "root" / "usr" / "sbin" / "nginx"
    program.parent.mkdir(parents=True)
    program.touch()
    assert proxies.program("nginx") == str(program)
    assert proxies.program("caddy") is None
