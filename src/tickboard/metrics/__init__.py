"""Metrics and their series: the registry, the intake, the window and its stats. It does no I/O."""
