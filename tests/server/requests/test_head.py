"""The headers of a request, read once, and never another request's."""

from starlette.types import Scope

from tickboard.server.requests.head import head_of


def test_headers_are_read_by_name_and_once() -> None:
    scope: Scope = {"type": "http", "headers": [(b"host", b"a"), (b"via", b"\xe9"), (b"via", b"c")]}
    head = head_of(scope)
    assert head == {"host": ["a"], "via": ["é", "c"]}
    assert head_of(scope) is head


def test_a_copy_of_a_scope_with_other_headers_has_those() -> None:
    scope: Scope = {"type": "http", "headers": [(b"host", b"a")]}
    head_of(scope)
    assert head_of({**scope, "headers": [(b"host", b"b")]}) == {"host": ["b"]}
    assert head_of({**scope, "root_path": "/x"}) == {"host": ["a"]}
