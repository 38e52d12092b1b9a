"""Where files that outlive a run may be, and what becomes of those that cannot be read."""
