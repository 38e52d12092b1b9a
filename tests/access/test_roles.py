"""Roles: an admin may do what an operator may, an operator what a viewer may, and a sender stands apart."""

import pytest

from tickboard.access.roles import ROLES, Role, may

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
