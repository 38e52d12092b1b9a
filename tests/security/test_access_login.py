"""Logging in and out: by password and by link, only from the board's own page, and to nowhere else."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from tests.security.access import PASSWORD, Accounts
from tests.security.test_access_routes import BOARD
from tests.serving import Server, serve

from tickboard.access.credentials import fingerprint, new_secret
from tickboard.access.links import new_link
from tickboard.access.records import LoginLink


class Board:
    """A server on which people log in."""

    def __init__(self, server: Server, accounts: Accounts, path: str) -> None:
        self.server, self.accounts = server, accounts
        self.url = server.url.rstrip("/") + path
        self.browsers = 0

    def browser(self) -> httpx.Client:
        """Return a browser without cookies, at an address of its own. It follows no redirects."""
        self.browsers += 1
        address = {"X-Forwarded-For": f"198.51.100.{self.browsers}"}
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30, headers=address)

    def link(self, name: str | None = None) -> str:
        """Return the path of a new link that the server knows."""
        path = f"login/{new_link(self.accounts.file, name)}"
        with self.browser() as other:
            self.server.wait_for(lambda: other.get(path).status_code == 200)
        return path


@pytest.fixture(scope="module", params=["", "/team/board"])
def board(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    accounts = Accounts(tmp_path_factory.mktemp("access") / "access.json")
    accounts.person("Ann", "operator")
    flags = ("--root-path", request.param) if request.param else ()
    with serve("run", BOARD, "--auth", "required", *accounts.flags, *flags) as server:
        yield Board(server, accounts, f"{request.param}/")


def log_in(browser: httpx.Client, name: str = "Ann", password: str = PASSWORD, **more: str) -> httpx.Response:
    return browser.post("login", data={"name": name, "password": password, **more})


def secret_of(link: str) -> str:
    return link.rpartition("/")[2]


def test_a_person_logs_in_and_out(board: Board) -> None:
    with board.browser() as browser:
        assert browser.get("api/board").status_code == 401
        answer = log_in(browser)
        assert (answer.status_code, answer.headers["location"]) == (303, "./")
        assert browser.get("api/board").status_code == 200
        assert browser.get("api/me").json() == {"name": "Ann", "role": "operator", "logout": True}
        cookies = dict(browser.cookies)
        out = browser.post("logout")
        assert (out.status_code, out.headers["location"]) == (303, "./login")
        assert browser.get("api/board").status_code == 401
        # Not only the browser has forgotten it.
        assert httpx.get(f"{board.url}api/board", cookies=cookies, trust_env=False).status_code == 401
        assert browser.post("logout").status_code == 303


def test_a_name_may_be_written_in_any_case(board: Board) -> None:
    with board.browser() as browser:
        assert log_in(browser, "aNN").status_code == 303


def test_the_cookie_is_for_this_board_and_not_for_scripts(board: Board) -> None:
    with board.browser() as browser:
        cookie = log_in(browser).headers["set-cookie"]
    assert re.match(r"tickboard_[0-9a-f]{8}=[\w-]{43}; ", cookie)
    path = board.url.removeprefix(board.server.url.rstrip("/"))
    assert {"HttpOnly", "SameSite=lax", f"Path={path}", "Max-Age=2592000"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


def test_the_cookie_is_secure_behind_tls(board: Board) -> None:
    with board.browser() as browser:
        answer = browser.post(
            "login", data={"name": "Ann", "password": PASSWORD}, headers={"X-Forwarded-Proto": "https"}
        )
        cookie = answer.headers["set-cookie"]
        assert "Secure" in cookie.split("; ")
        # Only over TLS can a browser be given a cookie of this name, and for the whole host by the host alone.
        prefix = "__Host-" if "Path=/;" in cookie else "__Secure-"
        assert cookie.startswith(f"{prefix}tickboard_")
        sent = {"Cookie": cookie.partition(";")[0]}
        planted = {"Cookie": sent["Cookie"].removeprefix(prefix)}
        for headers in ({}, {"X-Forwarded-Proto": "https"}):
            assert browser.get("api/board", headers=sent | headers).status_code == 200
        assert browser.get("api/board", headers=planted | {"X-Forwarded-Proto": "https"}).status_code == 401
        out = browser.post("logout", headers=sent | {"X-Forwarded-Proto": "https"})
        assert out.headers["set-cookie"].startswith(f'{sent["Cookie"].partition("=")[0]}=""')
        assert "Secure" in out.headers["set-cookie"].split("; ")
        assert browser.get("api/board", headers=sent).status_code == 401


def test_each_login_has_a_new_secret_and_ends_the_one_before(board: Board) -> None:
    with board.browser() as browser:
        log_in(browser)
        first = dict(browser.cookies)
        log_in(browser)
        assert dict(browser.cookies) != first
        assert browser.get("api/board").status_code == 200
        assert httpx.get(f"{board.url}api/board", cookies=first, trust_env=False).status_code == 401


def test_a_cookie_that_was_planted_does_not_become_a_session(board: Board) -> None:
    with board.browser() as browser:
        name = next(iter(dict(log_in(browser).cookies)))
    planted = new_secret()
    with board.browser() as browser:
        browser.cookies.set(name, planted)
        answer = log_in(browser)
        assert planted not in answer.headers["set-cookie"]
    assert httpx.get(f"{board.url}api/board", cookies={name: planted}, trust_env=False).status_code == 401


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("Ann", PASSWORD + "x"),
        ("Ann", ""),
        ("", ""),
        ("nobody", PASSWORD),
        ("<b>&\"'", "x"),
        ("A" * 5_000, "y" * 5_000),
    ],
)
def test_a_wrong_name_or_password_says_the_same(board: Board, name: str, password: str) -> None:
    with board.browser() as browser:
        answer = log_in(browser, name, password)
        assert answer.status_code == 401
        assert "This name and password are not known here." in answer.text
        assert "set-cookie" not in answer.headers
        assert f'"{password}"' not in answer.text.replace('value=""', "")
        assert "<b>" not in answer.text
        # A right password works after that, and ends the counting.
        assert log_in(browser).status_code == 303


def test_a_link_logs_in_once_and_only_by_its_button(board: Board) -> None:
    link = board.link()
    with board.browser() as preview, board.browser() as browser:
        for _ in range(3):
            assert preview.get(link).status_code == preview.head(link).status_code == 200
        assert preview.get("api/board").status_code == 401
        page = browser.get(link)
        assert "<strong>admin</strong>" in page.text
        assert f'name="once" value="{secret_of(link)}"' in page.text
        assert browser.post("login", data={"once": secret_of(link)}).status_code == 303
        assert browser.get("api/board").status_code == 200
        again = preview.post("login", data={"once": secret_of(link)})
        assert again.status_code == 401
        assert "This link was used already" in again.text
        assert "or is for a board with other users" in again.text
        assert preview.get(link).status_code == 401
        assert preview.get("api/board").status_code == 401


def test_a_link_for_a_person_has_their_role(board: Board) -> None:
    link = board.link("ann")
    with board.browser() as browser:
        browser.post("login", data={"once": secret_of(link)})
        assert browser.get("api/board").status_code == 200
        assert browser.get("own").status_code == 403


def test_a_link_expires(board: Board) -> None:
    secret = new_secret()
    # A change removes what has expired, so write it to the file directly.
    expired = LoginLink(fingerprint(secret), "admin", time.time() + 1.5, "admin")
    board.accounts.file.change(lambda records: records.with_link(expired))
    with board.browser() as browser:
        board.server.wait_for(lambda: time.time() > expired.expires)
        assert browser.get(f"login/{secret}").status_code == 401
        assert browser.post("login", data={"once": secret}).status_code == 401


@pytest.mark.parametrize("path", ["login/", "login/x", "login/" + "x" * 5_000, "login/%00", "login/%2e%2e"])
def test_other_links_are_refused(board: Board, path: str) -> None:
    with board.browser() as browser:
        assert browser.get(path).status_code == 401


@pytest.mark.parametrize(
    "onward",
    [
        "range=5m&tz=utc",
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\r\nSet-Cookie: a=b",
        "\x00",
        "..//evil",
        "#x",
        "?",
        "\u00fc",
        "x" * 5_000,
    ],
)
def test_a_login_leads_to_the_board_and_nowhere_else(board: Board, onward: str) -> None:
    with board.browser() as browser:
        answer = log_in(browser, next=onward)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("./?" if onward != "?" else "./")
        assert answer.headers["location"].isprintable()
        assert str(answer.next_request and answer.next_request.url).startswith(board.url)
        assert answer.headers.get_list("set-cookie") == [answer.headers["set-cookie"]]
        assert browser.cookies.get("a") is None


@pytest.mark.parametrize(
    ("onward", "where"),
    [
        ("hosts/web-1/", "./hosts/web-1/"),
        ("hosts/web-1/?range=5m", "./hosts/web-1/?range=5m"),
        ("hosts/web-1/api/board", "./?hosts%2Fweb-1%2Fapi%2Fboard"),
        ("hosts/../", "./?hosts%2F..%2F"),
        ("hosts//evil.example/", "./?hosts%2F%2Fevil.example%2F"),
        ("//evil.example/hosts/web-1/", "./?%2F%2Fevil.example%2Fhosts%2Fweb-1%2F"),
    ],
)
def test_a_login_leads_back_to_the_board_of_a_host(board: Board, onward: str, where: str) -> None:
    with board.browser() as browser:
        answer = log_in(browser, next=onward)
        assert (answer.status_code, answer.headers["location"]) == (303, where)


@pytest.mark.parametrize("page", ["hosts/web-1/", "hosts/web-1/?range=5m"])
def test_the_page_of_a_host_sends_to_the_login_of_the_wall(board: Board, page: str) -> None:
    with board.browser() as browser:
        sent = browser.get(page, headers={"accept": "text/html"})
        assert (sent.status_code, sent.headers["location"]) == (303, f"../../login?next={quote(page, safe='')}")
        assert browser.get("hosts/web-1/api/board", headers={"accept": "text/html"}).status_code == 401


def test_the_page_sends_to_the_login_and_takes_its_query_along(board: Board) -> None:
    with board.browser() as browser:
        browser.headers["accept"] = "text/html"
        sent = browser.get("?range=5m&a=%22%3E")
        assert sent.status_code == 303
        page = browser.get(httpx.URL(sent.headers["location"]).raw_path.decode().removeprefix("./"))
        assert page.status_code == 200
        assert 'name="next" value="range=5m&amp;a=%22%3E"' in page.text
        assert browser.get("").headers["location"] == "./login"
        # Other documents are not pages.
        assert browser.get("api/board").status_code == 401
        log_in(browser)
        assert browser.get("").status_code in {200, 503}


def test_another_site_can_log_nobody_in_or_out(board: Board) -> None:
    link = board.link()
    with board.browser() as browser:
        log_in(browser)
        for headers in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Origin": "http://127.0.0.1:1"},
        ):
            for path, data in (
                ("login", {"name": "Ann", "password": PASSWORD}),
                ("login", {"once": secret_of(link)}),
                ("logout", {}),
            ):
                answer = browser.post(path, data=data, headers=headers)
                assert answer.status_code == 403, headers
                assert "set-cookie" not in answer.headers
        assert browser.get("api/board").status_code == 200
        own = {"Origin": board.server.url.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        assert browser.post("logout", headers=own).status_code == 303


def test_an_allowed_site_cannot_either(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "access.json")
    accounts.person("Ann", "viewer")
    flags = ("--auth", "required", *accounts.flags, "--allow-origin", "https://wiki.example")
    with serve("run", BOARD, *flags) as server:
        sent = {"data": {"name": "Ann", "password": PASSWORD}, "headers": {"Origin": "https://wiki.example"}}
        assert httpx.post(f"{server.url}login", **sent, trust_env=False).status_code == 403  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"Content-Type": "application/json"}, b'{"name": "Ann"}', 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x", 415),
        ({}, b"name=Ann", 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a" * 20_000, 413),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=1&" * 1_000, 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"name=%ff%00&password=\xff", 401),
        ({"Content-Type": "application/x-www-form-urlencoded; charset=x"}, b"", 401),
    ],
)
def test_another_body_is_refused(board: Board, headers: dict[str, str], content: bytes, status: int) -> None:
    with board.browser() as browser:
        assert browser.post("login", headers=headers, content=content).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PUT", "login", "GET, HEAD, POST"), ("GET", "logout", "POST"), ("POST", "login/x", "GET, HEAD")],
)
def test_other_methods_are_refused(board: Board, method: str, path: str, allowed: str) -> None:
    with board.browser() as browser:
        answer = browser.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_the_page_works_without_scripts_and_cannot_be_framed(board: Board) -> None:
    with board.browser() as browser:
        page = browser.get("login")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "script" not in page.text
    # Without it a browser would send the form with the Origin `null`.
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"
    for words in ('autocomplete="username"', 'autocomplete="current-password"', 'type="password"', 'lang="en"'):
        assert words in page.text


def test_a_kiosk_gets_in_by_the_token_of_a_viewer(board: Board) -> None:
    viewer, operator = board.accounts.token("viewer"), board.accounts.token("operator")
    with board.browser() as kiosk, board.browser() as person:
        board.server.wait_for(lambda: kiosk.get("login", params={"token": viewer}).status_code == 303)
        answer = kiosk.get("login", params={"token": viewer, "next": "kiosk"})
        assert answer.headers["location"] == "./?kiosk"
        assert kiosk.get("api/board").status_code == 200
        assert kiosk.post("api/marks", json={"text": "x"}).status_code == 403
        for other in (operator, viewer[:-1] + "x"):
            refused = person.get("login", params={"token": other})
            assert refused.status_code == 401
            assert "set-cookie" not in refused.headers
        # Somebody who is logged in stays who they are.
        log_in(person)
        assert "set-cookie" not in person.get("login", params={"token": viewer}).headers
        assert person.post("api/marks", json={"text": "x"}).status_code == 200


def test_a_change_is_signed_with_the_real_name(board: Board) -> None:
    token = board.accounts.token("operator", name="deploy")
    with board.browser() as browser:
        log_in(browser)
        browser_says = browser.post("api/marks", json={"text": "one", "by": "somebody else"})
        assert browser_says.json()["by"] == "Ann"
        program = {"Authorization": f"Bearer {token}"}
        board.server.wait_for(lambda: browser.get("api/board", headers=program).status_code == 200)
        assert browser.post("api/marks", json={"text": "two"}, headers=program).json()["by"] == "deploy"
        board.server.wait_for(lambda: browser.get("api/alerts").json()["alerts"])
        alert = browser.get("api/alerts").json()["alerts"][0]["id"]
        one = browser.post(f"api/alerts/{alert}/ack", json={"by": "mallory", "note": "mine"}).json()
        assert one["acknowledged"]["by"] == "Ann"
        silenced = browser.post("api/alerts/silence", json={"ids": [alert], "duration": "1h", "reason": "x", "by": "m"})
        assert silenced.status_code == 200
        assert [each["by"] for each in browser.get("api/silences").json()] == ["Ann"]
        browser.post("api/alerts/silence", json={"ids": [alert], "duration": "0s"})
