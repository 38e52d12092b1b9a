"""Run the Python blocks of one page in order, as one program: ``python run_page.py PAGE URL``.

Top-level ``await`` is allowed, since blocks use it. A board's usual address in the text is replaced by URL. A TOML
block configures the page's board. Every board is prepared at the end, as it would be before it is served.
"""

import ast
import asyncio
import builtins
import inspect
import os
import re
import sys
from pathlib import Path
from typing import Any

from tests.docs.blocks import Block, blocks_of

from tickboard import Board
from tickboard.configuration.config import parse_config
from tickboard.settings import Settings

ADDRESSES = ("http://127.0.0.1:3000", "http://localhost:3000")


async def run(block: Block, url: str, names: dict[str, Any]) -> None:
    """Run one block with `names` as its globals."""
    code = block.code
    for address in ADDRESSES:
        code = code.replace(address, url)
        code = code.replace(address.replace("http", "ws"), url.replace("http", "ws"))
    code = code.replace("port=3000", "port=0")
    for variable in re.findall(r"\$\{?([A-Z][A-Z_]+)", code):
        os.environ.setdefault(variable, "json://127.0.0.1:9/")
    compiled = compile("\n" * (block.line - 1) + code, block.place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    printed = asyncio.Event()

    def tell(*values: object, **options: Any) -> None:
        builtins.print(*values, **options)
        printed.set()

    names["print"] = tell
    if "asyncio.run(" in block.code:  # a whole program with its own event loop
        await asyncio.to_thread(eval, compiled, names)
        return
    result = eval(compiled, names)
    if not inspect.isawaitable(result):
        return
    running = asyncio.ensure_future(result)
    if block.endless:
        waiting = asyncio.ensure_future(printed.wait())
        await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not running.done():
            running.cancel()
            await asyncio.wait([running])
            return
    await running


async def main(page: Path, url: str) -> None:
    """Run a page."""
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks_of(page):
        if block.language == "python" and not block.not_run:
            await run(block, url, names)
        if block.language == "toml" and isinstance(board := names.get("board"), Board):
            board.apply_config(parse_config(block.code.encode(), block.place))
    for name, board in list(names.items()):
        if isinstance(board, Board):
            board.prepare(Settings())
            builtins.print(f"{name}: {len(board.describe().metrics)} metrics")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
    builtins.print("page done", flush=True)
    # Threads that serve in the background need not be stopped.
    os._exit(0)
