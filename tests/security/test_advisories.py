"""Attacks from security advisories for other projects that no other test covers; docs/security.md names them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.security.raw import exchange, request
from tests.security.test_paths import stays_here
from tests.serving import Server, serve, wait_for

from tickboard.server.routes.page import STATIC

BOARDS = Path(__file__).parents[1] / "boards"
SCRIPT = max((STATIC / "assets").glob("*.js"), key=lambda path: path.stat().st_size)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("run", str(BOARDS / "rising.py"), "--interval", "100") as running:
        yield running


@pytest.mark.parametrize("target", ["/", f"/assets/{SCRIPT.name}"])
@pytest.mark.parametrize(
    "ranges",
    [
        ",".join(f"{at}-{at}" for at in range(0, 4_000, 2)),
        ",".join(["0-"] * 4_000),
        ",".join(f"{at}-" for at in range(2_500, 0, -1)),
        "," * 16_000,
        "0-" + "9" * 16_000,
    ],
    ids=["apart", "all the same", "one in the other", "none", "a number without end"],
)
def test_range_requests_do_not_multiply_a_file(server: Server, target: str, ranges: str) -> None:
    whole = exchange(server.port, request(target=target)).body
    answer = exchange(server.port, request(target=target, Range=f"bytes={ranges}"[:16_000]))
    assert answer.status in {200, 206, 400, 416}
    assert len(answer.body) <= 2 * len(whole) + 400_000


@pytest.mark.parametrize("path", ["/api/metrics", "/v1/metrics", "/api/v1/write", "/api/alerts/x/ack"])
def test_multipart_forms_with_files_are_refused(server: Server, path: str) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="a"; filename="..\\..\\a"\r\n\r\n' + bytes(2 << 20) + b"\r\n--x--"
    )
    answer = exchange(server.port, request("POST", path, body=body, Content_Type="multipart/form-data; boundary=x"))
    assert answer.status in {413, 415}


@pytest.mark.parametrize(
    "target",
    [
        "/public/..%2F%5cevil.example%2F%3f%2F..%2F..",
        "/assets/..%2F%5cevil.example%2F%3f%2F..%2F..",
        "/%5cevil.example/%2e%2e",
        "//evil.example/..",
        "/api/stats/%2F%5cevil.example/",
    ],
)
def test_no_path_redirects_to_another_site(server: Server, target: str) -> None:
    answer = exchange(server.port, request(target=target))
    assert answer.status in {307, 308, 400, 404}
    assert "location" not in answer.headers or stays_here(answer, target)


@pytest.mark.parametrize(
    "host", ["localhost/api", "localhost?", "localhost#", "a@localhost", "localhost/..", "local host"]
)
def test_a_host_with_path_characters_is_refused(server: Server, host: str) -> None:
    assert exchange(server.port, request(host=host)).status in {400, 421}


def test_short_connections_leak_no_descriptors_or_threads(server: Server) -> None:
    descriptors = Path(f"/proc/{server.process.pid}/fd")
    server.json("/api/health")
    before = len(list(descriptors.iterdir()))
    for number in range(200):
        exchange(server.port, request(target=f"/api/stats?metrics=none_{number}", Connection="close"))
    wait_for(lambda: len(list(descriptors.iterdir())) <= before + 5)
    threads = Path(f"/proc/{server.process.pid}/task")
    assert len(list(threads.iterdir())) < 60
