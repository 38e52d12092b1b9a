"""Alerts: the rules, their episodes, and the log of alert events. Nothing here does I/O."""
