"""Destinations are checked when they are declared, and the secrets in a URL are never shown."""

import pytest

from tickboard.errors import InputError
from tickboard.notify.destinations import make_destination
from tickboard.output.secrets import Secret, read_secret

TOKEN = "xoxb-very-secret"
ENVIRONMENT = {
    "URL": f"slack://{TOKEN}/b/c",
    "PASSWORD": "p@s:s/w?rd&",
    "PATH_": "T1/B2/C3",
    "LOGIN": "me:p@s:s",
    "EMPTY": "",
}


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("json://host/path", "json://host/path"),
        ("$URL", f"slack://{TOKEN}/b/c"),
        ("  ${URL}\n", f"slack://{TOKEN}/b/c"),
        ("mailto://me:${PASSWORD}@host", "mailto://me:p%40s%3As%2Fw%3Frd%26@host"),
        ("mailto://${LOGIN}@host/to@other", "mailto://me:p%40s%3As@host/to@other"),
        ("json://host/?token=${PASSWORD}", "json://host/?token=p%40s%3As%2Fw%3Frd%26"),
        ("slack://${PATH_}", "slack://T1/B2/C3"),
        ("slack://${PATH_}/a@b", "slack://T1/B2/C3/a@b"),
        ("slack://host/${PATH_}@", "slack://host/T1/B2/C3@"),
        ("json://me:cost$5@host", "json://me:cost$5@host"),
        ("json://me:pa$word@host/$5", "json://me:pa$word@host/$5"),
    ],
)
def test_environment_variables_are_inserted_into_the_url(text: str, url: str) -> None:
    assert read_secret(text, ENVIRONMENT).reveal() == url


@pytest.mark.parametrize("text", [f"{TOKEN}://${{MISSING}}/b/c", "$MISSING", f"${{EMPTY}}/{TOKEN}"])
def test_an_unset_variable_is_named_and_the_rest_of_the_url_is_not_shown(text: str) -> None:
    with pytest.raises(InputError, match=r"environment variable (MISSING|EMPTY) of its URL is not set") as caught:
        read_secret(text, ENVIRONMENT)
    assert TOKEN not in str(caught.value)


def test_a_secret_shows_only_its_scheme() -> None:
    secret = Secret(f"SLACK://{TOKEN}/b")
    destination = make_destination("ops", f"slack://{TOKEN}/b", {})
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", repr(destination), str([destination])):
        assert TOKEN not in shown
        assert "slack" in shown
    assert repr(Secret(TOKEN)) == "Secret(://…)"


def test_omitted_settings_have_defaults() -> None:
    destination = make_destination("ops", "json://host", {})
    assert destination.severities == {"info", "warning", "critical"}
    assert (destination.wait_s, destination.limit, destination.remind_s, destination.resolved) == (5.0, 10, None, True)


def test_given_settings_are_used() -> None:
    destination = make_destination(
        "ops", "json://host", {}, severities=["critical"], wait="250ms", limit=1, remind="4h", resolved=False
    )
    assert destination.severities == {"critical"}
    assert (destination.wait_s, destination.limit, destination.remind_s) == (0.25, 1, 14_400.0)
    assert destination.resolved is False


def test_a_single_severity_may_be_a_string() -> None:
    assert make_destination("ops", "json://host", {}, severities="critical").severities == {"critical"}


@pytest.mark.parametrize(
    ("invalid", "error"),
    [
        ({"name": "my ops"}, "a notifier's name has up to 64 letters, digits, _, . and -, as ops"),
        ({"name": ""}, "a notifier's name has up to 64 letters"),
        ({"name": f"slack://{TOKEN}/b", "url": "ops"}, "the given one is not shown: give the name first, then the URL"),
        ({"name": f"{TOKEN}\n"}, "a notifier's name has up to 64 letters"),
        (
            {"severities": ["critical", "bad"]},
            "notifier 'ops': severity 'bad' is unknown: use one of info, warning, critical",
        ),
        ({"severities": []}, "notifier 'ops': severities is empty: give some of"),
        ({"wait": "soon"}, "notifier 'ops': duration 'soon'"),
        ({"limit": 0}, "notifier 'ops': limit=0: give a whole number of messages a minute, from 1 to"),
        ({"limit": 10_001}, "limit=10001: give a whole number of messages a minute, from 1 to 10000"),
        ({"limit": 1.5}, "limit=1.5"),
        ({"limit": True}, "limit=True"),
        ({"remind": "0s"}, "remind='0s' would remind without a pause: give a duration such as 4h"),
        ({"url": "json://${NOWHERE}"}, "notifier 'ops': the environment variable NOWHERE"),
    ],
)
def test_an_invalid_setting_is_named_in_the_error_without_secrets(invalid: dict[str, object], error: str) -> None:
    arguments: dict[str, object] = {"name": "ops", "url": f"json://host/{TOKEN}", "environ": {}} | invalid
    with pytest.raises(InputError) as caught:
        make_destination(**arguments)  # type: ignore[arg-type]
    assert error in str(caught.value)
    assert TOKEN not in str(caught.value)
