"""The build hook: a wheel, an editable install and a source distribution all hold the built page.

Node.js is asked for only where the page has to be built and the machine has none; see tools/page.py.
"""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent / "tools"))

import page


class PageHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the page before anything is packed."""

    def dependencies(self) -> list[str]:
        """Return the Python package of Node.js where the page must be built without another one."""
        if page.is_fresh():
            return []
        try:
            page.find_node()
        except page.PageError:
            return [page.NODE_REQUIREMENT]
        return []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page, or end the build with one line that says why it can't be."""
        try:
            page.build()
        except page.PageError as error:
            self.app.abort(f"tickboard: {error}")
