"""What may be shown on a terminal or in a log, and how."""
