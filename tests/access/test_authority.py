"""The authority: who presents a credential, and whether they still may."""

from msgspec.structs import replace

from tickboard.access.authority import NOTED_S, Authority, listed
from tickboard.access.credentials import fingerprint
from tickboard.access.records import IDLE_S, SESSION_S, Person, Records, Session, Token
from tickboard.access.roles import Identity, Role

NOW = 1_800_000_000.0


def knowing(*tokens: Token, people: tuple[Person, ...] = (), sessions: tuple[Session, ...] = ()) -> Authority:
    authority = Authority("/boards/shop.py")
    authority.learn(Records(people=people, tokens=tokens, sessions=sessions))
    return authority


def in_session(role: Role | None = None, *, used: float = NOW) -> Session:
    return Session(fingerprint("s"), "ann", NOW, used, role)


ANN = Person("Ann", "operator")


def test_a_token_is_valid_until_it_expires() -> None:
    authority = knowing(Token("ci", "viewer", fingerprint("t"), NOW, NOW + 60))
    found = authority.by_token("t", NOW + 59)
    assert found == Identity("ci", "viewer", f"token {fingerprint('t')}")
    assert authority.still(found, NOW + 59)
    assert authority.by_token("t", NOW + 60) is None
    assert not authority.still(found, NOW + 60)


def test_a_token_without_an_end_is_valid_until_it_is_revoked() -> None:
    authority = knowing(Token("ci", "viewer", fingerprint("t"), NOW))
    found = authority.by_token("t", NOW * 2)
    assert found is not None
    assert authority.still(found, NOW * 2)
    authority.learn(Records())
    assert authority.by_token("t", NOW) is None
    assert not authority.still(found, NOW)


def test_other_texts_are_no_tokens() -> None:
    authority = knowing(Token("ci", "viewer", fingerprint("t"), NOW))
    for text in ("", "T", "t ", fingerprint("t"), "t" * 1_000_000):
        assert authority.by_token(text, NOW) is None


def test_a_token_is_valid_for_its_board() -> None:
    prints = {board: fingerprint(board) for board in ("*", "host", "/boards/shop.py", "/boards/other.py")}
    authority = knowing(*(Token("t", "viewer", known, NOW, board=board) for board, known in prints.items()))
    assert [board for board in prints if authority.by_token(board, NOW)] == ["*", "/boards/shop.py"]


def test_a_sender_may_write_the_metrics_of_its_token() -> None:
    sender = Token("ci", "sender", fingerprint("t"), NOW, metrics=("jobs_*",))
    viewer = Token("tv", "viewer", fingerprint("u"), NOW)
    authority = knowing(sender, viewer)
    assert [found.metrics for each in "tu" if (found := authority.by_token(each, NOW))] == [("jobs_*",), None]
    assert listed(("jobs_*", "a?"), "jobs_done")
    assert listed(("jobs_*", "a?"), "ab")
    assert not listed(("jobs_*", "a?"), "Jobs_done")
    assert not listed((), "jobs_done")


def test_a_session_has_the_role_of_its_person_as_it_is_now() -> None:
    authority = knowing(people=(ANN,), sessions=(in_session(),))
    found = authority.by_session("s", NOW)
    assert found == Identity("Ann", "operator", f"session {fingerprint('s')}")
    assert authority.still(found, NOW)
    authority.learn(replace(authority.records, people=(Person("Ann", "viewer"),)))
    assert not authority.still(found, NOW)
    again = authority.by_session("s", NOW)
    assert again is not None
    assert again.role == "viewer"


def test_a_session_without_a_person_has_its_own_role_or_none() -> None:
    authority = knowing(sessions=(in_session("admin"),))
    found = authority.by_session("s", NOW)
    assert found is not None
    assert found.role == "admin"
    authority.learn(Records(sessions=(in_session(),)))
    assert authority.by_session("s", NOW) is None
    assert not authority.still(found, NOW)


def test_a_session_of_an_admins_link_has_its_role_whatever_a_user_of_this_name_may_do() -> None:
    authority = knowing(people=(Person("ann", "viewer"),), sessions=(in_session("admin"),))
    found = authority.by_session("s", NOW)
    assert found == Identity("ann", "admin", f"session {fingerprint('s')}")
    authority.learn(authority.records.with_role("Ann", "operator"))
    assert not authority.still(found, NOW)


def test_a_session_ends_when_it_is_idle_or_old_or_removed() -> None:
    authority = knowing(people=(ANN,), sessions=(in_session(),))
    assert authority.by_session("s", NOW + IDLE_S - 1) is not None
    # That was a use.
    assert authority.by_session("s", NOW + 2 * IDLE_S - 2) is not None
    assert authority.by_session("s", NOW + 4 * IDLE_S) is None
    authority = knowing(people=(ANN,), sessions=(in_session(used=NOW + SESSION_S - 1),))
    assert authority.by_session("s", NOW + SESSION_S - 1) is not None
    assert authority.by_session("s", NOW + SESSION_S) is None
    gone = authority.by_session("s", NOW)
    assert gone is not None
    authority.learn(replace(authority.records, sessions=()))
    assert not authority.still(gone, NOW)
    assert authority.by_session("t", NOW) is None
    assert authority.by_session("s" * 1_000, NOW) is None


def test_an_open_stream_is_a_use() -> None:
    authority = knowing(people=(ANN,), sessions=(in_session(),))
    found = authority.by_session("s", NOW)
    assert found is not None
    for day in range(1, 29):
        assert authority.still(found, NOW + day * 86_400)
    assert not authority.still(found, NOW + SESSION_S)


def test_a_use_is_recorded_when_it_is_much_later_than_the_recorded_one() -> None:
    authority = knowing(people=(ANN,), sessions=(in_session(),))
    authority.by_session("s", NOW + NOTED_S)
    assert authority.uses() == {}
    authority.by_session("s", NOW + NOTED_S + 1)
    assert authority.uses() == {fingerprint("s"): NOW + NOTED_S + 1}
    authority.learn(authority.records.with_uses(authority.uses()))
    assert authority.uses() == {}
    authority.learn(Records())
    assert authority.uses() == {}


def test_a_proxy_names_a_person_or_somebody_who_is_not_known() -> None:
    authority = knowing(people=(ANN,))
    ann, bob = authority.by_name("Ann", "viewer"), authority.by_name("bob", "viewer")
    assert ann is not None
    assert bob is not None
    assert (ann.name, ann.role) == ("Ann", "operator")
    assert (bob.name, bob.role) == ("bob", "viewer")
    assert authority.by_name("bob", None) is None
    assert authority.still(ann, NOW)
    assert authority.still(bob, NOW)
    authority.learn(Records(people=(Person("Ann", "viewer"),)))
    assert not authority.still(ann, NOW)


def test_a_name_that_a_proxy_writes_in_another_way_is_somebody_else() -> None:
    authority = knowing(people=(Person("sam", "admin"),))
    # The second one becomes "sam" when case is ignored.
    for name in ("Sam", "\u017fam"):
        assert authority.by_name(name, "viewer") == Identity(name, "viewer", f"proxy viewer {name}")
        assert authority.by_name(name, None) is None


def test_a_person_of_a_proxy_who_is_removed_is_one_who_is_not_known() -> None:
    authority = knowing(people=(ANN,))
    as_stranger, known_only = authority.by_name("Ann", "operator"), authority.by_name("Ann", None)
    assert as_stranger is not None
    assert known_only is not None
    authority.learn(Records())
    assert authority.still(as_stranger, NOW)
    assert not authority.still(known_only, NOW)


def test_an_application_answers_for_its_own_people() -> None:
    assert knowing().still(Identity("ann", "viewer", "application"), NOW)
