"""What holds for all tests."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tickboard.output import secrets as secret

# Every board that a test starts is as if it were the first, and leaves nothing behind, unless the test says otherwise.
os.environ["TICKBOARD_STATE"] = os.environ["TICKBOARD_HISTORY"] = "none"

# How long an example takes says more of the machine than of the code; speed is what benchmarks are for. CI looks at the
# same examples each time, so that it fails for what has changed; elsewhere each run looks at others.
settings.register_profile("tickboard", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("tickboard")


@pytest.fixture(autouse=True)
def no_secrets() -> Iterator[None]:
    """Forget what a test has made a secret: the next one may print it."""
    yield
    secret._known.clear()
    secret._longest_first.clear()
