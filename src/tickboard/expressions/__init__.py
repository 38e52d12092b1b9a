"""Expressions over metrics, such as ``cpu.avg("10s") > 80``, written in Python or as text, and their values."""
