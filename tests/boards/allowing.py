"""A board that allows pages of another site, by itself."""

from tickboard import Board

board = Board("Allowing", allow_origins=["https://wiki.example"], allow_frames=["https://wiki.example"])
