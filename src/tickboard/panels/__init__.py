"""Panels: which cards, charts and other panels the page shows, declared by a board or chosen for it."""
