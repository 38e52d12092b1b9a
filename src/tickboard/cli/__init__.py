"""The command line: `tickboard`, `run`, `dev`, `pipe` and the rest."""
