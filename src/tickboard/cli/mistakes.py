"""What the command line says of words that no command takes."""

from cyclopts import UnusedCliTokensError

TAKE_A_FILE = ("run", "dev", "check", "notify")
"""The commands for a dashboard file."""

_WHERE = "flags alone, such as --board FILE"

TAKES = {
    "health": "one URL",
    "completion": "one shell",
    "export": _WHERE,
    "info": _WHERE,
    "forget": _WHERE,
    "backup": "one FILE",
}
"""What other commands take."""


def too_much(error: UnusedCliTokensError) -> str:
    """Say what to write in place of the words that no command takes."""
    words = error.unused_tokens or [""]
    commands = (*TAKE_A_FILE, "pipe", "export", "history", "schema", "completion", "health")
    if error.command_chain:
        command = error.command_chain[-1]
        takes = "one FILE" if command in TAKE_A_FILE else TAKES.get(command, "no FILE")
        return f"{words[0]!r} is too much: {command} takes {takes}."
    if words[0] in commands:
        return f"Flags go after the command: tickboard {words[0]}{' FILE' * (words[0] in TAKE_A_FILE)} [flags]."
    if words[0].endswith(".py"):
        return f"There is no command {words[0]!r}: to serve a file, write tickboard run {words[0]}."
    return f"There is no command {words[0]!r}: the commands are {', '.join(commands)}."
