"""Cookies of servers that are asked again and again: none is kept, so none is sent back.

An HTTP client keeps them forever. A server that sets others with each answer would make its memory grow, and each
request larger and slower than the last.
"""

from http.cookiejar import CookieJar
from typing import Any


class NoCookies(CookieJar):
    """A jar that stays empty."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Ignore the cookies of a response."""
