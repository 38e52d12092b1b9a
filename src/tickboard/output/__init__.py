"""Makes text safe for a terminal or a log, and keeps secrets out of it."""
