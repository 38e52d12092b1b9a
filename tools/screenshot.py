"""Take the pictures of the README from the running product: ``python tools/screenshot.py``.

Serves the example board, waits until its window is full, and writes docs/images/dashboard-*.png.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = {"light": ("light", 1440, 900), "dark": ("dark", 1440, 900), "phone": ("light", 390, 844)}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def main() -> None:
    """Write every picture."""
    command = [
        sys.executable,
        "-m",
        "tickboard",
        "run",
        str(ROOT / "examples" / "dashboard.py"),
        "--port",
        "0",
        "--state",
        "none",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found, "the server gave no address"
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for name, (scheme, width, height) in PICTURES.items():
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
            )
            page = context.new_page()
            page.goto(found[0])
            expect(page.locator(".metric-card").first).to_contain_text("(60 samples)", timeout=90_000)
            page.screenshot(path=ROOT / "docs" / "images" / f"dashboard-{name}.png")
            context.close()
        browser.close()
        server.terminate()


if __name__ == "__main__":
    main()
