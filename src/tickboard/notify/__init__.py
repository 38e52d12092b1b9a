"""Notifications of alerts outside the page: which alerts, when, in which words, and through which service."""
