"""The headers of a request are read once, and never mixed up with another request's."""

from starlette.types import Scope

from tickboard.server.requests.request_headers import head_of


def test_headers_are_grouped_by_name_and_read_once() -> None:
    scope: Scope = {"type": "http", "headers": [(b"host", b"a"), (b"via", b"\xe9"), (b"via", b"c")]}
    head = head_of(scope)
    assert head == {"host": ["a"], "via": ["é", "c"]}
    assert head_of(scope) is head


def test_a_copied_scope_with_other_headers_is_read_anew() -> None:
    scope: Scope = {"type": "http", "headers": [(b"host", b"a")]}
    head_of(scope)
    assert head_of({**scope, "headers": [(b"host", b"b")]}) == {"host": ["b"]}
    assert head_of({**scope, "root_path": "/x"}) == {"host": ["a"]}
