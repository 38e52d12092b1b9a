"""The audit: bounded, and a flood of one kind displaces no other kind."""

from tickboard.access.audit import MAX_TEXT, MOST, SAME_S, Audit, differences
from tickboard.access.records import LoginLink, Person, Records, Token


def test_entries_are_the_newest_first() -> None:
    audit = Audit()
    audit.add(1.0, "login", "ann", "192.0.2.1", "by password")
    audit.fail(2.0, "login failed", "bob", "192.0.2.2")
    audit.add(3.0, "logout", "ann", "192.0.2.1")
    assert [(each.last, each.what, each.who) for each in audit.entries()] == [
        (3.0, "logout", "ann"),
        (2.0, "login failed", "bob"),
        (1.0, "login", "ann"),
    ]


def test_the_same_failure_counts_and_another_is_an_entry() -> None:
    audit = Audit()
    assert audit.fail(1.0, "login failed", "ann", "a")
    assert not audit.fail(2.0, "login failed", "ann", "a")
    assert audit.fail(3.0, "login failed", "ann", "b")
    assert [(each.first, each.last, each.address, each.count) for each in audit.entries()] == [
        (3.0, 3.0, "b", 1),
        (1.0, 2.0, "a", 2),
    ]
    assert audit.fail(2.0 + SAME_S + 1, "login failed", "ann", "a")
    assert audit.entries()[0].count == 1


def test_a_flood_of_one_kind_displaces_no_other() -> None:
    audit = Audit()
    audit.add(0.0, "login", "ann")
    audit.fail(0.5, "refused", "bob", "a")
    audit.fail(1.0, "login failed", "first", "a")
    for number in range(MOST):
        audit.fail(2.0 + number, "login failed", f"x{number}" * 100, "a", "y" * 1_000)
        audit.add(2.0 + number, "change", "eve")
    found = audit.entries()
    assert len(found) == 2 * MOST + 2
    assert [each.who for each in found[-2:]] == ["bob", "ann"]
    assert all(each.who != "first" for each in found)
    assert max(len(each.who) for each in found) == max(len(each.detail) for each in found) == MAX_TEXT


def test_what_is_done_is_bounded() -> None:
    audit = Audit()
    for number in range(MOST + 5):
        audit.add(float(number), "change", "ann")
    assert len(audit.entries()) == MOST
    assert audit.entries()[-1].first == 5.0


def test_changes_of_the_access_file_are_described() -> None:
    before = Records(
        people=(*(Person(name, "viewer") for name in ("gone", "bob", "eve")), Person("ann", "viewer", "a")),
        tokens=(Token("old", "viewer", "1" * 64, 0.0),),
        links=(LoginLink("f", "ann", 1.0),),
    )
    after = Records(
        people=(
            Person("ann", "viewer", "b"),
            Person("bob", "admin"),
            Person("eve", "viewer"),
            Person("new", "operator"),
        ),
        tokens=(Token("ci", "sender", "2" * 64, 0.0),),
        links=(LoginLink("f", "ann", 1.0), LoginLink("g", "bob", 1.0)),
    )
    found = {
        ("gone", "the user was removed"),
        ("ann", "the password was changed"),
        ("bob", "the user is now admin"),
        ("new", "the user was added as operator"),
        ("old", "the token 11111111 was revoked or has expired"),
        ("ci", "the token 22222222 was made for a sender"),
        ("bob", "a one-time link was made"),
    }
    assert set(differences(before, after)) == found
    audit = Audit()
    audit.learn(5.0, before, after)
    assert {(each.who, each.detail) for each in audit.entries()} == found
    audit.learn(6.0, after, after)
    assert len(audit.entries()) == len(found)
