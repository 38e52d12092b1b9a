"""Ignores the cookies of servers that are requested again and again.

An HTTP client keeps cookies forever. A server that sets others with each answer would make its memory grow, and each
request larger and slower than the last.
"""

from http.cookiejar import CookieJar
from typing import Any


class NoCookies(CookieJar):
    """A jar that stays empty."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Ignore the cookies of a response."""
