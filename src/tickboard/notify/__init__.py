"""Telling alerts outside the page: what is told, when, in which words, and by which service."""
