"""StatsD to a real board, from the clients that programs use."""

import contextlib
import socket
from pathlib import Path

import statsd  # type: ignore[import-untyped]
from datadog.dogstatsd.base import DogStatsd
from tests.serving import serve

BOARD = """
from tickboard import Board
board = Board("Counted", interval_ms=100)
board.statsd({arguments})
"""


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def board(folder: Path, arguments: str) -> str:
    file = folder / "board.py"
    file.write_text(BOARD.format(arguments=arguments))
    return str(file)


def test_metrics_of_the_statsd_client_are_on_the_board(tmp_path: Path) -> None:
    port = free_udp_port()
    with contextlib.ExitStack() as clients, serve("run", board(tmp_path, f"port={port}")) as server:
        client = clients.enter_context(contextlib.closing(statsd.StatsClient("127.0.0.1", port, prefix="shop")))

        def sent() -> bool:
            client.incr("orders", 3)
            client.gauge("open", 7)
            client.timing("took", 320)
            client.set("users", "a")
            stats = server.json("/api/stats")
            return {"shop.orders", "shop.open", "shop.took.p95", "shop.users"} <= {
                key for key, each in stats.items() if each["count"]
            }

        server.wait_for(sent)
        stats = server.json("/api/stats")
        assert stats["shop.open"]["last"] == 7
        assert stats["shop.took"]["last"] == 320
        assert stats["shop.orders"]["max"] > 0


def test_decremented_counters_are_recorded_and_a_changed_type_is_reported(tmp_path: Path) -> None:
    port = free_udp_port()
    with contextlib.ExitStack() as clients, serve("run", board(tmp_path, f"port={port}")) as server:
        plain = clients.enter_context(contextlib.closing(statsd.StatsClient("127.0.0.1", port)))
        dog = DogStatsd("127.0.0.1", port, disable_telemetry=True, disable_buffering=True)
        clients.callback(dog.close_socket)

        def sent() -> bool:
            plain.decr("plain", 2)
            dog.decrement("dog", 3)
            dog.gauge("plain", 1)
            stats = server.json("/api/stats")
            return bool({"plain", "dog"} <= stats.keys() and stats["plain"]["min"] < 0 > stats["dog"]["min"])

        server.wait_for(sent)
        server.wait_for(lambda: server.json("/api/board")["problems"])
        [problem] = server.json("/api/board")["problems"]
        assert problem["source"] == f"statsd 127.0.0.1:{port}"
        assert "'plain' is a counter here, not a gauge" in problem["message"]


def test_metrics_of_dogstatsd_over_a_unix_socket_are_on_the_board(tmp_path: Path) -> None:
    path = tmp_path / "dog.sock"
    arguments = f"path={str(path)!r}, relative=False"
    with contextlib.ExitStack() as clients, serve("run", board(tmp_path, arguments)) as server:
        client = DogStatsd(socket_path=str(path), disable_telemetry=True, disable_buffering=True)
        clients.callback(client.close_socket)

        def sent() -> bool:
            client.gauge("heat", -3, tags=["room:attic"])
            client.distribution("size", 12)
            return {'heat{room="attic"}', "size.p50"} <= set(server.json("/api/stats"))

        server.wait_for(sent)
        server.wait_for(lambda: server.json("/api/stats")['heat{room="attic"}'].get("last") == -3)
    assert not path.exists()


def test_a_reload_under_dev_passes_the_port_to_the_new_board(tmp_path: Path) -> None:
    port = free_udp_port()
    file = Path(board(tmp_path, f"port={port}"))
    with contextlib.ExitStack() as clients, serve("dev", str(file)) as server:
        text = file.read_text()

        def reloaded() -> bool:
            # Written again until the server notices: it reports that it is live before it watches the file.
            file.write_text(text + 'board.gauge("new")\n')
            return "new" in str(server.json("/api/board")["metrics"])

        server.wait_for(reloaded)
        client = clients.enter_context(contextlib.closing(statsd.StatsClient("127.0.0.1", port)))

        def sent() -> bool:
            client.gauge("open", 7)
            return "open" in server.json("/api/stats")

        server.wait_for(sent)


def test_the_host_board_listens_too() -> None:
    port = free_udp_port()
    with contextlib.ExitStack() as clients, serve("--statsd", str(port), "--interval", "100") as server:
        client = clients.enter_context(contextlib.closing(statsd.StatsClient("127.0.0.1", port)))

        def sent() -> bool:
            client.gauge("open", 7)
            return bool(server.json("/api/stats").get("open", {}).get("last") == 7)

        server.wait_for(sent)


def test_a_taken_port_is_reported_and_the_board_keeps_running(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with serve("run", board(tmp_path, f"port={port}")) as server:
            [problem] = server.json("/api/board")["problems"]
            assert f"cannot listen on UDP 127.0.0.1:{port}" in problem["message"]
            assert server.says(problem["message"])
            assert "Traceback" not in server.output()
