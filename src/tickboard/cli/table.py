"""Tables: what commands list, for a terminal and for pipes."""

from collections.abc import Sequence

from tickboard.output.terminal import put


def put_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], nothing: str) -> None:
    """Print a table whose columns are aligned and at least two spaces apart; without rows, print `nothing`."""
    if not rows:
        put(nothing)
        return
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        put("  ".join(each.ljust(width) for each, width in zip(row, widths, strict=True)).rstrip())
