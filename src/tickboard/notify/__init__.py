"""Notifications of alerts outside the page: which alerts, when, with what text, and through which service."""
