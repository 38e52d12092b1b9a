"""The commands for users, tokens and links, as programs."""

import os
import pty
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tickboard.access.authority import Authority
from tickboard.access.file import AccessFile
from tickboard.access.passwords import matches
from tickboard.access.records import Records, Session

PASSWORD = "correct horse battery"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "access.json"


def run(file: Path, *arguments: str, typed: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tickboard", *arguments]
    environment = os.environ | {"TICKBOARD_ACCESS": str(file)} | environ
    return subprocess.run(
        command,
        input=typed,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=60,
        env=environment,
        check=False,
    )


def done(file: Path, *arguments: str, typed: str = "", **environ: str) -> list[str]:
    """Run a command that works, and return its lines."""
    result = run(file, *arguments, typed=typed, **environ)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    return result.stdout.splitlines()


def refused(file: Path, *arguments: str, typed: str = "", **environ: str) -> str:
    """Run a command that is refused, and return the line on standard error."""
    result = run(file, *arguments, typed=typed, **environ)
    assert (result.returncode, result.stdout) == (2, ""), result.stdout
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def test_a_token_is_printed_once_and_listed_without_it(file: Path) -> None:
    assert done(file, "token", "list") == ["there are no tokens: tickboard token create"]
    [token] = done(file, "token", "create", "--role", "sender", "--name", "ci", "--metrics", "jobs.*", "--metrics", "x")
    [other] = done(file, "token", "create", "--role", "viewer", "--name", "ci", "--expires", "never", "--board", "host")
    assert token != other
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token not in file.read_text()
    authority = Authority("host")
    authority.learn(AccessFile(file).read())
    found = authority.by_token(token, AccessFile(file).read().tokens[0].created)
    assert found is not None
    assert found.metrics == ("jobs.*", "x")
    head, first, second = done(file, "token", "list")
    assert head.split() == ["ID", "NAME", "ROLE", "BOARD", "METRICS", "MADE", "ENDS"]
    day = r"20\d\d-\d\d-\d\d"
    assert re.fullmatch(rf"[0-9a-f]{{8}}  ci    sender  \*      jobs\.\* x  {day}  {day}", first)
    assert re.fullmatch(rf"[0-9a-f]{{8}}  ci    viewer  host   -         {day}  never", second)
    assert "2 tokens named 'ci'" in refused(file, "token", "revoke", "ci")
    # By its id, by itself, and by its name when no other has that.
    assert done(file, "token", "revoke", token) == [f"token {first[:8]}: revoked"]
    assert done(file, "token", "revoke", "ci") == ["token ci: revoked"]
    assert done(file, "token", "list") == ["there are no tokens: tickboard token create"]
    assert "there is no token 'ci'" in refused(file, "token", "revoke", "ci")
    done(file, "token", "create", "--role", "viewer", "--name", "tickboard_ci")
    assert done(file, "token", "revoke", "tickboard_ci") == ["token tickboard_ci: revoked"]


def test_a_dashboard_file_is_named_by_its_path(file: Path, tmp_path: Path) -> None:
    done(file, "token", "create", "--role", "viewer", "--name", "tv", "--board", str(tmp_path / "shop.py"))
    assert AccessFile(file).read().tokens[0].board == str(tmp_path / "shop.py")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--role", "admin", "--name", "x"), "'admin' is not one of"),
        (("--role", "viewer"), "--name"),
        (("--name", "x"), "--role"),
        (("--role", "viewer", "--name", ""), "1 to 64 visible characters"),
        (("--role", "viewer", "--name", "x", "--expires", "soon"), "--expires=soon"),
        (("--role", "viewer", "--name", "x", "--expires", "0s"), "--expires=0s"),
        (("--role", "viewer", "--name", "x", "--metrics", "a"), "metrics are for tokens of the role sender"),
        (("--role", "viewer", "--name", "x", "--board", "Host"), "--board=Host: there is no such file"),
        (("--role", "viewer", "--name", os.fsdecode(b"x\xff")), r"'x\udcff': use 1 to 64 visible"),
        (("--role", "viewer", "--name", "x", "--board", os.fsdecode(b"/x\xff.py")), "'/x\\udcff.py' is not UTF-8"),
    ],
)
def test_a_bad_token_is_refused(file: Path, arguments: tuple[str, ...], why: str) -> None:
    assert why in refused(file, "token", "create", *arguments)
    assert AccessFile(file).read() == Records()


def test_a_user_is_added_changed_and_removed(file: Path) -> None:
    assert done(file, "user", "list") == ["there are no users: tickboard user add NAME"]
    assert done(file, "user", "add", "Ann", "--role", "admin", typed=f"{PASSWORD}\n") == [
        "user Ann: added as admin, with the password from standard input"
    ]
    assert done(file, "user", "add", "bob", "--no-password") == ["user bob: added as viewer"]
    records = AccessFile(file).read()
    assert [matches(PASSWORD, each.password) for each in records.people] == [True, False]
    AccessFile(file).change(lambda records: records.with_session(Session("f", "ann", 2e9, 2e9)))
    assert [line.split() for line in done(file, "user", "list")][1:] == [
        ["Ann", "admin", "password", "1"],
        ["bob", "viewer", "link", "or", "proxy", "0"],
    ]
    assert done(file, "user", "passwd", "ann", typed="another good one\n") == [
        "user ann: the password from standard input is set, and they are logged out"
    ]
    records = AccessFile(file).read()
    assert records.sessions == ()
    assert matches("another good one", records.people[0].password)
    assert done(file, "user", "remove", "ann") == ["user ann: removed"]
    assert [each.name for each in AccessFile(file).read().people] == ["bob"]


def test_a_token_for_a_board_without_a_file_names_it(file: Path) -> None:
    for board in ("program", "pipe Live Dashboard"):
        done(file, "token", "create", "--role", "viewer", "--name", "tv", "--board", board)
        assert AccessFile(file).read().tokens[-1].board == board


def test_a_user_has_another_role(file: Path) -> None:
    done(file, "user", "add", "Ann", "--no-password")
    assert done(file, "user", "role", "ann", "operator") == ["user ann: is now operator"]
    assert AccessFile(file).read().people[0].role == "operator"
    assert "there is no user 'bob'" in refused(file, "user", "role", "bob", "viewer")
    assert "'sender' is not one of" in refused(file, "user", "role", "ann", "sender")


def test_a_user_is_logged_out(file: Path) -> None:
    assert "nobody of this name is logged in" in refused(file, "user", "logout", "admin")
    AccessFile(file).change(lambda records: records.with_session(Session("f", "admin", 2e9, 2e9, "admin")))
    assert done(file, "user", "logout", "Admin") == ["user Admin: logged out everywhere"]
    assert AccessFile(file).read().sessions == ()


@pytest.mark.parametrize(
    ("arguments", "typed", "why"),
    [
        (("add", "bob"), "short\n", "the password has 5 characters: use 12 or more"),
        (("add", "bob"), "", "standard input has no password"),
        (("add", "bob"), "correct horse \udcff battery\n", "standard input is not text in UTF-8"),
        (("add", "b\udcff"), f"{PASSWORD}\n", "1 to 64 visible characters"),
        (("role", "b\udcff", "viewer"), "", "there is no user"),
        (("add", "bob", "--role", "sender"), "", "'sender' is not one of"),
        (("add", " "), "", "1 to 64 visible characters"),
        (("passwd", "bob"), "", "there is no user 'bob'"),
        (("remove", "bob"), "", "there is no user 'bob'"),
    ],
)
def test_a_bad_user_is_refused(file: Path, arguments: tuple[str, ...], typed: str, why: str) -> None:
    assert why in refused(file, "user", *arguments, typed=typed)
    assert AccessFile(file).read() == Records()


@pytest.mark.parametrize("name", ["ann", "admin"])
def test_the_password_file_of_a_container_replaces_nobodys_typed_password(
    file: Path, tmp_path: Path, name: str
) -> None:
    secret = tmp_path / "password"
    secret.write_text("that of the admin\n")
    for command, typed in (("add", PASSWORD), ("passwd", "another good one")):
        said = done(file, "user", command, name, typed=f"{typed}\n", TICKBOARD_PASSWORD_FILE=str(secret))
        assert matches(typed, AccessFile(file).read().people[0].password)
        assert "from standard input" in said[0]
        assert len(said) == (2 if name == "admin" else 1)
        assert all(f"the password in {secret} again" in line for line in said[1:])


@pytest.mark.parametrize("again", [PASSWORD, "something else"])
def test_a_password_is_typed_twice_and_not_shown(file: Path, again: str) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tickboard", "user", "add", "ann", "--access", str(file)]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True, start_new_session=True
    ) as process:
        os.close(theirs)
        shown = b""
        for question, answer in ((b"more): ", PASSWORD), (b"Again: ", again)):
            while question not in shown:
                shown += os.read(ours, 1_000)
            os.write(ours, f"{answer}\n".encode())
        try:
            while part := os.read(ours, 1_000):
                shown += part
        except OSError:
            pass
        os.close(ours)
    assert PASSWORD.encode() not in shown
    assert (b"with the password as typed" in shown) is (again == PASSWORD)
    assert process.returncode == (0 if again == PASSWORD else 2)
    assert file.exists() is (again == PASSWORD)


def test_a_link_is_printed_for_the_address_of_the_board(file: Path) -> None:
    [link] = done(file, "login")
    assert re.fullmatch(r"http://127\.0\.0\.1:3000/login/[\w-]{43}", link)
    [other] = done(file, "login", "--url", "https://board.example.com/team/")
    assert re.fullmatch(r"https://board\.example\.com/team/login/[\w-]{43}", other)
    assert "there is no user 'ann'" in refused(file, "login", "--user", "ann")
    done(file, "user", "add", "ann", "--no-password")
    done(file, "login", "--user", "ann")
    assert [(each.name, each.role) for each in AccessFile(file).read().links] == [
        ("admin", "admin"),
        ("admin", "admin"),
        ("ann", None),
    ]
    for url in ("board.example.com", "http://a/?b", "http://a/#b", "ftp://a"):
        assert "--url" in refused(file, "login", "--url", url)


def test_a_file_that_others_can_change_is_refused(file: Path) -> None:
    done(file, "user", "add", "ann", "--no-password")
    file.chmod(0o666)
    assert "others may write to" in refused(file, "user", "list")
