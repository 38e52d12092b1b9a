"""What may be said of remote write."""

import re

import pytest
from msgspec.structs import replace

from tickboard.errors import InputError
from tickboard.sending.options import NONE, RemoteWriteOptions

URL = "http://localhost:9090/api/v1/write"


def read(**given: object) -> RemoteWriteOptions:
    environ = {"TOKEN": "s3cret-token", "PASSWORD": "p@ss/word"}
    return RemoteWriteOptions.read(given, environ, lambda name, why: InputError(f"{name}: {why}"))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"url": "localhost:9090"}, "url: 'localhost:9090': give a URL, such as http://"),
        ({"url": "ftp://a/b"}, "give a URL"),
        ({"url": "http://a:99999/b"}, "give a URL"),
        ({"url": "http://a/\udcff"}, "give a URL"),
        ({"url": "http://999.1.1.1/b"}, "url: 'http://999.1.1.1/b': Invalid IPv4 address"),
        ({"url": "http://user:hunter22@/x"}, "url: 'http:///x': give a URL"),
        ({"url": "${NO_SUCH}"}, "url: the environment variable NO_SUCH of its URL is not set"),
        ({"url": 5}, "give a URL"),
        ({"version": "3.0"}, "version: '3.0': give '1.0' or '2.0'"),
        ({"version": 2}, "version: 2: give '1.0' or '2.0'"),
        ({"metrics": 5}, "metrics: 5: give selectors"),
        ({"metrics": ["x"] * 20_000}, "metrics: "),
        ({"headers": "a: b"}, "headers: give names and values"),
        ({"headers": {"a b": "c"}}, "headers: 'a b' is not a header name"),
        ({"headers": {"Content-Type": "text/plain"}}, "headers: Content-Type belongs to the protocol"),
        ({"headers": {"X-Prometheus-Remote-Write-Version": "1"}}, "belongs to the protocol"),
        ({"headers": {"A": "b\r\nC: d"}}, "the value of A has characters that are not allowed in a header"),
        ({"headers": {"A": "é"}}, "the value of A has characters"),
        ({"headers": {"A": "${NO_SUCH}"}}, "the environment variable NO_SUCH of a header is not set"),
        ({"headers": {"A": 5}}, "headers: A is a int"),
        ({"labels": ["a"]}, "labels: give names and values"),
        ({"labels": {"a-b": "c"}}, "labels: 'a-b' is not a label name"),
        ({"labels": {"__name__": "c"}}, "is not a label name"),
        ({"labels": {"": "c"}}, "is not a label name"),
        ({"labels": {"a": 5}}, "labels: label a is a int"),
        ({"labels": {"a": "b\n"}}, "label a has characters that cannot be printed"),
        ({"delay": "6m"}, "delay: give 5m or less"),
        ({"delay": "soon"}, "delay: "),
    ],
)
def test_an_invalid_option_raises_one_error_that_names_it(given: dict[str, object], why: str) -> None:
    with pytest.raises(InputError, match=re.escape(why)) as raised:
        read(**given)
    assert "hunter22" not in str(raised.value)


def test_secrets_come_from_the_environment_and_are_not_shown() -> None:
    options = read(url="https://me:${PASSWORD}@mimir/push", headers={"Authorization": "Bearer ${TOKEN}"})
    assert options.url is not None
    assert options.url.reveal() == "https://me:p%40ss%2Fword@mimir/push"
    assert options.headers == {"Authorization": "Bearer s3cret-token"}
    assert "p%40ss" not in repr(options.url)


def test_nothing_is_sent_without_a_url() -> None:
    assert not RemoteWriteOptions().is_wanted
    assert read(url=URL).is_wanted
    assert not read(url=NONE).over(read(url=URL)).is_wanted


def test_a_stronger_option_wins_and_the_others_stay() -> None:
    weak = read(url=URL, version="2.0", labels={"env": "prod"}, metrics="cpu", delay="5s")
    both = read(version="1.0", labels={"env": "test"}).over(weak)
    assert replace(both, url=None) == read(version="1.0", labels={"env": "test"}, metrics=["cpu"], delay=5)
    assert both.url is weak.url


def test_headers_go_only_where_they_were_meant_to() -> None:
    weak = read(url=URL, headers={"Authorization": "Bearer ${TOKEN}"})
    assert read(url="http://elsewhere/").over(weak).headers is None
    assert read(version="2.0").over(weak).headers == {"Authorization": "Bearer s3cret-token"}
    assert read(url="http://elsewhere/", headers={"A": "b"}).over(weak).headers == {"A": "b"}
