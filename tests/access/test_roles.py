"""Roles: an admin may do what an operator may, an operator what a viewer may, and a sender stands apart."""

import pytest

from tickboard.access.roles import ROLES, Identity, Role, may

ALLOWED: dict[Role, set[Role]] = {
    "viewer": {"viewer"},
    "operator": {"viewer", "operator"},
    "sender": {"sender"},
    "admin": {"viewer", "operator", "admin"},
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("needed", ROLES)
def test_a_role_includes_what_it_says(role: Role, needed: Role) -> None:
    assert may(role, needed) is (needed in ALLOWED[role])


@pytest.mark.parametrize(
    ("name", "role", "words"),
    [
        ("Ann", "operator", "Ann is an operator"),
        ("ci", "sender", "ci is a sender"),
        ("Root", "admin", "Root is an admin"),
        # An application gave no name.
        ("viewer", "viewer", "you are a viewer"),
    ],
)
def test_an_identity_in_words(name: str, role: Role, words: str) -> None:
    assert Identity(name, role, "").in_words() == words
