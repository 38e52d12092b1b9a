"""The records: each change returns new ones, and what cannot be is refused and changes nothing."""

from collections.abc import Callable

import pytest

from tickboard.access.credentials import fingerprint
from tickboard.access.records import (
    IDLE_S,
    LINK_S,
    MAX_LINKS,
    MAX_PEOPLE,
    MAX_SESSIONS,
    MAX_SESSIONS_OF,
    MAX_TOKENS,
    SESSION_S,
    LoginLink,
    Person,
    Records,
    Session,
    Token,
)
from tickboard.errors import InputError

ANN = Person("Ann", "operator", "hash")
NOW = 1_800_000_000.0


def token(name: str = "ci", secret: str = "s", expires: float | None = None) -> Token:
    return Token(name, "sender", fingerprint(secret), NOW, expires)


def session(name: str = "Ann", secret: str = "s", started: float = NOW, used: float = NOW) -> Session:
    return Session(fingerprint(secret), name, started, used)


WITH_ANN = Records().with_person(ANN)


def test_a_person_is_found_whatever_the_case() -> None:
    assert WITH_ANN.person("ANN") is ANN
    assert WITH_ANN.person("Anna") is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda records: records.with_person(Person("ann", "viewer")), "already a user 'Ann'"),
        (lambda records: records.with_person(Person("", "viewer")), "1 to 64 visible characters"),
        (lambda records: records.with_person(Person(" bob", "viewer")), "1 to 64 visible characters"),
        (lambda records: records.with_person(Person("b\nob", "viewer")), "1 to 64 visible characters"),
        (lambda records: records.with_person(Person("b" * 65, "viewer")), "1 to 64 visible characters"),
        (lambda records: records.with_person(Person("bob", "sender")), "for programs"),
        (lambda records: records.with_role("bob", "viewer"), "no user 'bob'"),
        (lambda records: records.with_role("ann", "sender"), "for programs"),
        (lambda records: records.with_password("bob", "h"), "no user 'bob': the users are Ann"),
        (lambda records: records.without_person("bob"), "no user 'bob'"),
        (lambda records: Records().without_person("bob"), "there are none"),
        (lambda records: records.with_link(LoginLink("f", "bob", NOW)), "no user 'bob'"),
        (lambda records: records.with_token(Token("ci", "admin", "f", NOW)), "viewer, sender or operator"),
        (lambda records: records.with_token(Token("\t", "viewer", "f", NOW)), "1 to 64 visible characters"),
        (lambda records: records.with_token(Token("c\u202ei", "viewer", "f", NOW)), "1 to 64 visible characters"),
        (lambda records: records.with_token(Token("c\udcffi", "viewer", "f", NOW)), "1 to 64 visible characters"),
        (
            lambda records: records.with_token(Token("ci", "viewer", "f", NOW, metrics=("a",))),
            "metrics are for tokens of the role sender, not viewer",
        ),
        (lambda records: records.without_token("ci"), "no token 'ci'"),
    ],
)
def test_what_cannot_be_is_refused(change: Callable[[Records], Records], why: str) -> None:
    with pytest.raises(InputError, match=why):
        change(WITH_ANN)


def test_names_of_any_language_are_accepted() -> None:
    assert Records().with_person(Person("Jürgen Groß", "viewer")).person("jürgen gross") is not None


def test_a_name_is_the_same_in_either_form_of_its_letters_and_in_any_case() -> None:
    composed, apart = "Zo\u00eb", "ZOE\u0308"
    records = Records().with_person(Person(composed, "viewer")).with_session(session(apart))
    assert records.person(apart) == Person(composed, "viewer")
    assert records.without_person(apart) == Records()
    with pytest.raises(InputError, match=f"there is already a user '{composed}'"):
        records.with_person(Person(apart, "viewer"))


def test_a_new_password_ends_the_sessions_and_links_of_the_person_alone() -> None:
    records = WITH_ANN.with_person(Person("bob", "viewer")).with_session(session()).with_session(session("bob", "t"))
    records = records.with_link(LoginLink("f", "Ann", NOW + 1)).with_link(LoginLink("g", "bob", NOW + 1))
    after = records.with_password("ann", "other")
    assert [each.name for each in after.sessions] == ["bob"]
    assert [each.name for each in after.links] == ["bob"]
    assert after.person("ann") == Person("Ann", "operator", "other")
    assert after.person("bob") == records.person("bob")


def test_a_new_role_ends_what_has_a_role_of_its_own() -> None:
    own, link = Session("f", "ann", NOW, NOW, "admin"), LoginLink("g", "Ann", NOW, "admin")
    records = WITH_ANN.with_session(session()).with_session(own).with_link(link).with_session(session("bob", "t"))
    changed = records.with_role("ann", "viewer")
    assert changed.people == (Person("Ann", "viewer", "hash"),)
    assert [each.name for each in changed.sessions] == ["Ann", "bob"]
    assert changed.links == ()


def test_so_does_removing_the_person() -> None:
    after = WITH_ANN.with_session(session()).with_link(LoginLink("f", "Ann", NOW + 1)).without_person("ANN")
    assert after == Records()


def test_a_new_person_does_not_get_the_sessions_of_a_link_for_the_same_name() -> None:
    records = Records().with_session(Session("f", "admin", NOW, NOW, "admin"))
    assert records.with_person(Person("Admin", "viewer")).sessions == ()


def test_two_tokens_may_have_one_name_and_are_revoked_by_their_ids() -> None:
    first, second = token(secret="1"), token(secret="2")
    records = Records().with_token(first).with_token(second)
    with pytest.raises(InputError, match=f"2 tokens named 'ci': give one of their ids, {first.id}, {second.id}"):
        records.without_token("ci")
    after = records.without_token(first.id)
    assert after.tokens == (second,)
    assert after.without_token("ci").tokens == ()


def test_a_token_may_have_the_id_of_another_as_its_name() -> None:
    first = token(secret="1")
    second = token(first.id, secret="2")
    assert Records().with_token(first).with_token(second).without_token(first.id).tokens == (second,)


def test_a_link_can_be_used_until_it_expires_or_is_removed() -> None:
    records = WITH_ANN.with_link(LoginLink("f", "Ann", NOW + LINK_S))
    assert records.link("f", NOW + LINK_S - 1) is not None
    assert records.link("f", NOW + LINK_S) is None
    assert records.link("g", NOW) is None
    assert records.without_link("f").link("f", NOW) is None


def test_uses_are_recorded_and_never_go_back() -> None:
    records = Records().with_session(session()).with_session(session(secret="t"))
    after = records.with_uses({fingerprint("s"): NOW + 5, fingerprint("t"): NOW - 5, fingerprint("u"): NOW})
    assert [each.used for each in after.sessions] == [NOW + 5, NOW]


def test_what_has_ended_is_not_current() -> None:
    records = Records(
        tokens=(token(secret="1"), token(secret="2", expires=NOW), token(secret="3", expires=NOW + 1)),
        sessions=(
            session(secret="1"),
            session(secret="2", used=NOW - IDLE_S),
            session(secret="3", started=NOW - SESSION_S),
        ),
        links=(LoginLink("f", "Ann", NOW), LoginLink("g", "Ann", NOW + 1)),
    )
    current = records.current(NOW)
    assert [each.expires for each in current.tokens] == [None, NOW + 1]
    assert [each.fingerprint for each in current.sessions] == [fingerprint("1")]
    assert [each.fingerprint for each in current.links] == ["g"]


def test_the_oldest_sessions_and_links_give_way() -> None:
    full = Records(
        sessions=tuple(session(f"user {number}", str(number)) for number in range(MAX_SESSIONS)),
        links=tuple(LoginLink(str(number), "Ann", NOW, "admin") for number in range(MAX_LINKS)),
    )
    after = full.with_session(session(secret="new")).with_link(LoginLink("new", "Ann", NOW, "admin"))
    assert len(after.sessions) == MAX_SESSIONS
    assert after.sessions[-1].fingerprint == fingerprint("new")
    assert len(after.links) == MAX_LINKS
    assert after.links[0].fingerprint == "1"


def test_somebody_who_logs_in_again_and_again_ends_nobody_elses_session() -> None:
    records = Records().with_session(session("bob", "bob"))
    for number in range(MAX_SESSIONS_OF + 5):
        records = records.with_session(session("Ann" if number % 2 else "ann", str(number)))
    assert [each.fingerprint for each in records.sessions] == [
        fingerprint("bob"),
        *(fingerprint(str(number)) for number in range(5, MAX_SESSIONS_OF + 5)),
    ]


def test_people_and_tokens_are_limited() -> None:
    full = Records(
        people=tuple(Person(str(number), "viewer") for number in range(MAX_PEOPLE)),
        tokens=tuple(token(secret=str(number)) for number in range(MAX_TOKENS)),
    )
    with pytest.raises(InputError, match="remove one first"):
        full.with_person(ANN)
    with pytest.raises(InputError, match="revoke one first"):
        full.with_token(token(secret="new"))


def test_a_session_ends_once() -> None:
    records = Records().with_session(session())
    ended = frozenset({fingerprint("s")})
    assert records.without_sessions(ended).without_sessions(ended) == Records()
