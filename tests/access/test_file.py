"""The access file: private, replaced whole, and safe to change from several processes."""

import json
import os
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tickboard.access import file as module
from tickboard.access.file import AccessError, AccessFile, NoAccessFile, default_access_path
from tickboard.access.links import new_link
from tickboard.access.records import LoginLink, Person, Records, Token
from tickboard.errors import InputError

ANN = Person("ann", "viewer")


@pytest.fixture
def file(tmp_path: Path) -> AccessFile:
    return AccessFile(tmp_path / "state" / "access.json")


def test_no_file_is_no_records(file: AccessFile) -> None:
    assert file.read() == Records()
    assert file.stamp() == ()


def test_a_change_is_there_for_the_next_reader(file: AccessFile) -> None:
    assert file.change(lambda records: records.with_person(ANN)).people == (ANN,)
    assert AccessFile(file.path).read().people == (ANN,)


def test_the_file_and_its_folder_are_for_their_owner_alone(file: AccessFile) -> None:
    before = os.umask(0)
    try:
        file.change(lambda records: records.with_person(ANN))
        file.change(lambda records: records.without_person("ann"))
    finally:
        os.umask(before)
    assert {each.name: stat.S_IMODE(each.stat().st_mode) for each in file.path.parent.iterdir()} == {
        "access.json": 0o600,
        "access.json.lock": 0o600,
    }
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_a_change_that_raises_changes_nothing(file: AccessFile) -> None:
    file.change(lambda records: records.with_person(ANN))
    stamp = file.stamp()
    with pytest.raises(InputError):
        file.change(lambda records: records.with_person(ANN))
    assert file.stamp() == stamp


def test_a_change_to_the_same_does_not_write(file: AccessFile) -> None:
    file.change(lambda records: records.with_person(ANN))
    stamp = file.stamp()
    file.change(lambda records: records)
    assert file.stamp() == stamp


def test_a_stamp_differs_after_each_change(file: AccessFile) -> None:
    stamps = [file.stamp()]
    for number in range(5):
        person = Person(f"p{number}", "viewer")
        file.change(partial(Records.with_person, person=person))
        stamps.append(file.stamp())
    file.path.unlink()
    assert len(set(stamps)) == 6
    assert file.stamp() == ()


def test_what_has_ended_leaves_the_file_with_the_next_change(file: AccessFile) -> None:
    file.change(lambda records: records.with_link(LoginLink("f", "admin", 1.0, "admin")))
    assert file.change(lambda records: records.with_person(ANN)).links == ()


def full(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_crash_while_writing_leaves_the_old_file(file: AccessFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.change(lambda records: records.with_person(ANN))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(AccessError, match="cannot be changed: No space left on device"):
            file.change(lambda records: records.without_person("ann"))
    assert file.read().people == (ANN,)
    assert file.change(lambda records: records.without_person("ann")).people == ()


@pytest.mark.parametrize("content", ["x", "[]", '{"version": 2}', '{"people": [{"name": 1}]}', "[" * 100_000])
def test_another_file_is_refused_and_left_alone(file: AccessFile, content: str) -> None:
    file.path.parent.mkdir()
    file.path.write_text(content)
    file.path.chmod(0o600)
    with pytest.raises(AccessError, match="is not an access file"):
        file.read()
    with pytest.raises(AccessError, match="is not an access file"):
        file.change(lambda records: records.with_person(ANN))
    assert file.path.read_text() == content


def test_a_very_large_file_is_refused(file: AccessFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.change(lambda records: records.with_person(ANN))
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    with pytest.raises(AccessError, match="more than 10 bytes"):
        file.read()


def test_a_text_that_is_not_utf_8_is_refused(file: AccessFile) -> None:
    with pytest.raises(InputError, match=r"'x\\udcff' is not UTF-8"):
        file.change(lambda records: records.with_token(Token("ci", "viewer", "f", 1.0, board="x\udcff")))
    assert file.read() == Records()


def test_an_empty_file_has_no_records(file: AccessFile) -> None:
    file.path.parent.mkdir()
    file.path.touch(0o600)
    assert file.read() == Records()


def test_a_file_that_others_can_write_to_is_refused(file: AccessFile) -> None:
    file.change(lambda records: records.with_person(ANN))
    file.path.chmod(0o666)
    with pytest.raises(AccessError, match="others may write to"):
        file.read()


def test_a_file_that_others_can_read_is_closed_to_them(
    file: AccessFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file.change(lambda records: records.with_person(ANN))
    file.path.chmod(0o644)
    with monkeypatch.context() as patched:
        # As on a disk that is read-only.
        patched.setattr(os, "fchmod", refuses)
        assert file.read().people == (ANN,)
    assert caplog.messages == []
    for _ in range(2):
        assert file.read().people == (ANN,)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    [said] = caplog.messages
    assert said.startswith(f"{file.path} could be read by others")


def refuses(_: int, __: int) -> None:
    raise OSError(30, "Read-only file system")


def test_a_folder_or_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="is a folder"):
        AccessFile(tmp_path).read()
    (tmp_path / "file").touch()
    with pytest.raises(AccessError, match="cannot be changed"):
        AccessFile(tmp_path / "file" / "access.json").change(lambda records: records)


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    file = AccessFile(tmp_path / ("x" * 5_000))
    with pytest.raises(AccessError, match="cannot be looked at"):
        file.stamp()
    with pytest.raises(AccessError, match="cannot be read"):
        file.read()


def test_changes_of_several_processes_are_all_kept(file: AccessFile) -> None:
    program = (
        "import sys; from pathlib import Path; from tickboard.access.file import AccessFile; "
        "from tickboard.access.records import Person; file = AccessFile(Path(sys.argv[1])); "
        "[file.change(lambda r, n=n: r.with_person(Person(f'{sys.argv[2]}-{n}', 'viewer'))) for n in range(20)]"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, str(file.path), str(each)]) for each in range(3)]
    assert [each.wait(60) for each in processes] == [0, 0, 0]
    assert len(file.read().people) == 60


def test_a_change_waits_for_another_and_gives_up(file: AccessFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_WAIT_S", 0.05)

    def change_meanwhile(records: Records) -> Records:
        with pytest.raises(AccessError, match="is being changed by another program: try again"):
            AccessFile(file.path).change(lambda others: others)
        return records.with_person(ANN)

    assert file.change(change_meanwhile).people == (ANN,)


def test_the_default_is_in_the_state_folder_unless_the_environment_names_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert default_access_path({"HOME": "/home/a"}) == Path("/home/a/.local/state/tickboard/access.json")
    assert default_access_path({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == Path("/s/tickboard/access.json")
    assert default_access_path({"TICKBOARD_ACCESS": "a.json", "HOME": "/h"}) == Path("a.json")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    with pytest.raises(AccessError, match="no home folder for users and tokens"):
        default_access_path({})


def test_a_file_without_a_place_says_why_whatever_is_done_with_it() -> None:
    nowhere = NoAccessFile(AccessError("there is no home folder"))
    for use in (nowhere.stamp, nowhere.read, lambda: nowhere.change(lambda records: records)):
        with pytest.raises(AccessError, match="there is no home folder"):
            use()


def test_a_link_is_kept_as_a_fingerprint(file: AccessFile) -> None:
    secret = new_link(file, None)
    file.change(lambda records: records.with_person(ANN))
    other = new_link(file, "ann")
    text = file.path.read_text()
    assert secret not in text
    assert other not in text
    assert [(each["name"], each.get("role")) for each in json.loads(text)["links"]] == [
        ("admin", "admin"),
        ("ann", None),
    ]
    with pytest.raises(InputError, match="no user 'bob'"):
        new_link(file, "bob")


def test_the_lock_is_never_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "access.json.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AccessError, match="cannot be changed"):
        AccessFile(tmp_path / "access.json").change(lambda records: records.with_person(Person("ann", "viewer")))
    assert not (tmp_path / "elsewhere").exists()
