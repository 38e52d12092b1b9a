"""``tickboard.toml``: rules, thresholds and notifiers that are set without touching Python."""
