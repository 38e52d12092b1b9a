"""A board while it runs: its ticks, samplers, listeners and announcements."""
