"""Settings and fixtures for all tests."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tickboard.output import secrets as secret

# Boards in tests keep no state on disk, unless a test says otherwise.
os.environ["TICKBOARD_STATE"] = os.environ["TICKBOARD_HISTORY"] = "none"

# No deadline: the time of an example says more about the machine than about the code, and benchmarks measure speed. CI
# uses the same examples each time, so that it fails only for changes; elsewhere each run uses other examples.
settings.register_profile("tickboard", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("tickboard")


@pytest.fixture(autouse=True)
def no_secrets() -> Iterator[None]:
    """Forget the secrets of a test, since the next one may print the same text."""
    yield
    secret._known.clear()
    secret._longest_first.clear()
