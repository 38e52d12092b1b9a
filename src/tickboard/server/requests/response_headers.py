"""The headers by which a browser keeps a response of a board to the board's own pages.

They are added to what has none of its own: a route of the board's owner may say otherwise.
"""

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders

POLICY = "content-security-policy"

PAGE_POLICY = (
    # Nothing inline: SolidJS and our own code set styles through the object model, which a policy does not concern.
    "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; object-src 'none'"
)
"""Of the page, its assets and its worker. Who may frame it is for `protect` to say."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}

_POLICY = POLICY.encode()
_FIXED = [(name.encode(), value.encode()) for name, value in HEADERS.items()]

ALONE = [*_FIXED, (_POLICY, b"frame-ancestors 'none'")]
"""The headers of an answer that no application makes."""


def protect(headers: MutableHeaders, frames: Sequence[str] = ()) -> None:
    """Add what is missing to the headers of a response.

    Args:
        headers: they are changed.
        frames: who may frame it, as the policy ``frame-ancestors`` has it; none: nobody.
    """
    named = {name for name, _ in headers.raw}
    headers.raw.extend(header for header in _FIXED if header[0] not in named)
    ancestors = " ".join(("frame-ancestors", *(frames or ("'none'",))))
    if _POLICY not in named:
        headers.raw.append((_POLICY, ancestors.encode()))
    elif "frame-ancestors" not in (policy := headers[POLICY]).lower():
        headers[POLICY] = f"{policy}; {ancestors}"
