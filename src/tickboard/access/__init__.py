"""Who may do what: roles, the table of routes, tokens, people and their sessions, and the file that keeps them.

Only `tickboard.access.file` does I/O, also for `tickboard.access.links`. Everything else takes the time and the records
as arguments.
"""
