"""The options of a host, as people write them."""

import socket
from pathlib import Path

import pytest

from tickboard.errors import InputError
from tickboard.fleet.nats_options import NatsAddress
from tickboard.fleet.options import HostOptions, machine_name, shown_servers


def read(**written: object) -> HostOptions:
    return HostOptions.read(written, {"PASSWORD": "s3cret-word"}, lambda name, why: InputError(f"{name}: {why}"))


def test_all_of_them() -> None:
    options = read(
        nats="nats://a,tls://u:${PASSWORD}@b:1",
        name="web-1.eu",
        labels={"env": "prod", "az": "1"},
        credentials="a.creds",
        ca=Path("ca.pem"),
        certificate="c.pem",
        key="k.pem",
    )
    reached = options.nats_options
    assert reached is not None
    assert reached.servers[0] == NatsAddress("a")
    assert str(reached.servers[1]) == "tls://b:1"
    assert reached.wants_tls
    files = (reached.credentials, reached.ca, reached.certificate, reached.key)
    assert files == tuple(Path(name).absolute() for name in ("a.creds", "ca.pem", "c.pem", "k.pem"))
    assert options.labels == (("az", "1"), ("env", "prod"))
    assert options.host_name == "web-1.eu"


def test_none_of_them() -> None:
    assert read() == HostOptions()
    assert HostOptions().nats_options is None
    assert read(nats="none").nats_options is None
    assert HostOptions().host_name == machine_name()


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"nats": 3}, "nats: give a URL, such as nats://localhost:4222"),
        ({"nats": "http://a"}, "nats: 'http://a' is not the URL of a NATS server"),
        ({"name": 3}, "name: 3: give a name, such as web-1"),
        ({"name": "a b"}, "name: host name 'a b': use up to 100 letters"),
        ({"labels": "env=prod"}, "labels: give names and values"),
        ({"labels": {"a b": "c"}}, "labels: 'a b' is not a label name"),
        ({"labels": {3: "c"}}, "labels: 3 is not a label name"),
        ({"labels": {"host": "c"}}, "labels: label host is the host's name: set that with --name or name="),
        ({"labels": {"a": ""}}, "labels: label a='': give 1 to 200 characters"),
        ({"labels": {"a": "b\n"}}, "labels: label a='b\\n': give 1 to 200 characters"),
        ({"labels": {"a": 1}}, "labels: label a=1: give 1 to 200 characters"),
        ({"labels": {f"a{number}": "b" for number in range(21)}}, "labels: 21 labels: give up to 20"),
        ({"ca": ""}, "ca: give the name of a file"),
        ({"key": 3}, "key: give the name of a file"),
    ],
)
def test_what_cannot_be_used(written: dict[str, object], why: str) -> None:
    with pytest.raises(InputError) as raised:
        read(**written)
    assert why in str(raised.value)


def test_credentials_stay_with_the_servers_that_they_were_written_for() -> None:
    file = read(nats="nats://a", credentials="a.creds", ca="ca.pem", name="one", labels={"env": "prod"})
    flags = read(nats="nats://b", name="two")
    both = flags.over(file)
    assert both.nats == (NatsAddress("b"),)
    assert (both.credentials, both.ca, both.name, both.labels) == (None, None, "two", (("env", "prod"),))
    elsewhere = read(nats="nats://b").over(read(credentials="a.creds"))
    assert elsewhere.credentials == Path("a.creds").absolute()
    elsewhere.check()
    with pytest.raises(InputError, match="is for NATS, but no server is named: give one with --nats or nats="):
        read(credentials="a.creds").check()
    read(nats="none", credentials="a.creds").check()
    assert read(name="two").over(file).credentials == Path("a.creds").absolute()


@pytest.mark.parametrize(
    ("machine", "name"),
    [("web-1.example.com", "web-1.example.com"), ("-Anna's Mac_", "Anna-s-Mac"), ("…", "host"), ("a" * 120, "a" * 100)],
)
def test_the_name_of_the_machine(machine: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: machine)
    assert machine_name() == name


def test_servers_are_shown_without_secrets() -> None:
    assert shown_servers("nats://u:secret@a,nats://token@b:1") == "nats://a,nats://b:1"
