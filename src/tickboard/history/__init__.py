"""History: every tick of a board kept on disk, and its rollups by minute and hour.

It knows series by name and labels, times and values, and nothing of boards.
"""
