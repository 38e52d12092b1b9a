"""``python -m tickboard``."""

from tickboard.cli import main

main()
