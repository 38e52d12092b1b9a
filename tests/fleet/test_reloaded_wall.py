"""A wall whose dashboard file is edited while it runs goes on with its hosts."""

from pathlib import Path
from typing import Any

from tests.serving import Server, serve

RISING = str(Path(__file__).parents[1] / "boards" / "rising.py")
FAST = {"METRIC_INTERVAL_MS": "100"}


def values(wall: Server) -> list[Any]:
    points = wall.json("/api/metrics/recent?count=1000")
    return [point["value"] for point in points if point["name"] == "first.a"]


def test_a_reloaded_wall_keeps_the_ticks_of_its_hosts(tmp_path: Path) -> None:
    file = tmp_path / "wall.py"
    with serve("run", RISING, "--name", "a", env=FAST) as host:
        text = f'from tickboard import Board\nboard = Board("{{}}")\nboard.follow("{host.url}")\n'
        file.write_text(text.format("One"))
        with serve("dev", str(file), env={**FAST, "WINDOW_SIZE": "1000"}) as wall:
            wall.wait_for(lambda: len(values(wall)) > 10)
            # A board that cannot be used changes nothing.
            file.write_text(text.format("Broken") + "board.alert(1)\n")
            wall.wait_for(lambda: "dashboard file" in str(wall.json("/api/board").get("problems")))
            before = values(wall)[-1]
            wall.wait_for(lambda: values(wall)[-1] > before)
            file.write_text(text.format("Two"))
            wall.wait_for(lambda: wall.json("/api/board")["title"] == "Two")
            wall.wait_for(lambda: values(wall)[-1] > before + 10)
            assert before in values(wall)
            [there] = wall.json("/api/hosts")["hosts"]
            assert (there["name"], there["state"]) == ("a", "live")
            assert wall.stop() == 0
