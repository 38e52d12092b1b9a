"""Settings and fixtures for all tests."""

import functools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import settings

from tickboard.output import secrets as secret

# Boards in tests keep no state on disk, unless a test says otherwise.
os.environ["TICKBOARD_STATE"] = os.environ["TICKBOARD_HISTORY"] = "none"
# Nor do they touch the users and tokens of whoever runs the tests.
os.environ["TICKBOARD_ACCESS"] = str(Path(tempfile.gettempdir()) / f"tickboard-tests-{os.getpid()}" / "access.json")

# No deadline: the time of an example says more about the machine than about the code, and benchmarks measure speed. CI
# uses the same examples each time, so that it fails only for changes; elsewhere each run uses other examples.
settings.register_profile("tickboard", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("tickboard")

# Each `httpx.get` makes a client, and each client reads all certificate authorities, which takes 25 ms: read them once.
pytest.MonkeyPatch().setattr("httpx._transports.default.create_ssl_context", functools.cache(httpx.create_ssl_context))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run files with slow tests first: if one of them came last, the other workers would wait for it."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def no_secrets() -> Iterator[None]:
    """Forget the secrets of a test, since the next one may print the same text."""
    yield
    secret._known.clear()
    secret._longest_first.clear()


@pytest.fixture(scope="module")
def unmeasured() -> Iterator[None]:
    """Start boards without coverage measurement, which takes a third of a second of CPU time for each.

    For tests whose boards run nothing that is not measured elsewhere, or are killed, so that they store no measurement.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        yield
