"""Tests that take minutes: CI runs short versions of them."""

import os

import pytest

LONG = pytest.mark.skipif("CI" in os.environ, reason="takes minutes: CI runs the short version")
