"""How text is shown on a terminal and in a log, and what must not be shown."""
