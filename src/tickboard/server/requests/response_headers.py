"""Response headers that make a browser keep a response to the board's own pages.

They are added if missing, so that a route of the board's owner may set its own.
"""

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders

POLICY = "content-security-policy"

PAGE_POLICY = (
    # Nothing inline: SolidJS and our own code set styles through the object model, which policies do not restrict.
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; object-src 'none'"
)
"""For the page, its assets and its worker. `protect` adds who may frame it."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}

_POLICY = POLICY.encode()
_FIXED = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

ALONE = [*_FIXED, (_POLICY, b"frame-ancestors 'none'")]
"""The headers of a response that does not come from an application."""


def protect(headers: MutableHeaders, frames: Sequence[str] = ()) -> None:
    """Add the missing ones of these headers to a response.

    Args:
        headers: the response's headers, which are changed.
        frames: who may frame it, in the syntax of the policy ``frame-ancestors``; empty: nobody.
    """
    named = {name for name, _ in headers.raw}
    headers.raw.extend(header for header in _FIXED if header[0] not in named)
    ancestors = " ".join(("frame-ancestors", *(frames or ("'none'",))))
    if _POLICY not in named:
        headers.raw.append((_POLICY, ancestors.encode()))
    elif "frame-ancestors" not in (policy := headers[POLICY]).lower():
        headers[POLICY] = f"{policy}; {ancestors}"
