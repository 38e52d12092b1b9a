"""Prometheus' formats: the text that it scrapes, and its remote write."""
