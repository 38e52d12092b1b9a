"""Checks on files that outlive a run, and what to do with those that cannot be read."""
