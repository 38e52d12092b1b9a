"""Identities: what a request's source is called, and what its sender may write."""

import pytest
from tests.metrics.sending import Bench

from tickboard.access.roles import Identity
from tickboard.server.requests.identity import IDENTITY, source_of


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        (None, "push 192.0.2.1"),
        (Identity("ci", "sender", "token 0123456789abcdef", ()), "push 192.0.2.1 as ci 01234567"),
        (Identity("shop", "sender", "application"), "push 192.0.2.1 as shop"),
    ],
)
def test_a_source_is_named_after_its_address_and_its_token(identity: Identity | None, name: str) -> None:
    scope = {"type": "http", "client": ("192.0.2.1", 5), IDENTITY: identity}
    source = source_of(scope, Bench().intake, "push")
    assert source.name == name
    assert (source.may_write is None) is (identity is None or identity.metrics is None)
