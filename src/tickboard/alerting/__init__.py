"""Alerts: rules, the episodes that they are in, and the log of what is told of them. It does no I/O."""
