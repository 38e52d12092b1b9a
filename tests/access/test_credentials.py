"""Credentials: random, recognisable, and stored as a fingerprint alone."""

import pytest

from tickboard.access.credentials import fingerprint, id_of, is_token, new_secret, new_token
from tickboard.output.secrets import redacted


def test_a_token_has_a_prefix_and_256_random_bits() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(each.startswith("tickboard_") and len(each) == 10 + 43 and is_token(each) for each in tokens)


@pytest.mark.parametrize(
    "text", ["", "tickboard_", "tickboard_" + "a" * 42, "tickboard_" + "a" * 44, "x" * 53, "tickboard_" + "ü" * 43]
)
def test_other_texts_are_not_tokens(text: str) -> None:
    assert not is_token(text)


def test_a_token_is_hidden_in_every_text_that_is_logged() -> None:
    token = new_token()
    assert redacted(f"it said {token}, and no more") == "it said [secret], and no more"
    for name in ("tickboard_requests_refused_total", f"{token}x", "tickboard_"):
        assert redacted(name) == name


def test_a_fingerprint_does_not_contain_its_secret() -> None:
    secret = new_secret()
    assert secret not in fingerprint(secret)
    assert fingerprint(secret) == fingerprint(secret) != fingerprint(new_secret())
    assert fingerprint(secret).startswith(id_of(fingerprint(secret)))
