"""The login page, and logging in and out. It needs no JavaScript, and a password manager can fill it in.

A login is a POST, and only from the page's own origin: a link in a mail, or another site, can log nobody in or out. So
a one-time link leads to a page with a button. After a login, a browser is sent to the board's own page, and nowhere
else; only the query is taken along.
"""

import asyncio
import hashlib
import html
import re
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode

from msgspec import Struct
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from tickboard.access.credentials import fingerprint, is_token, new_secret
from tickboard.access.passwords import LONGEST, matches
from tickboard.access.records import SESSION_S, Records, Session, folded
from tickboard.access.roles import Identity, Role
from tickboard.access.route_table import LOGIN, LOGOUT
from tickboard.access.slowdown import Slowdown
from tickboard.errors import BusyError, PayloadError, TickboardError
from tickboard.output.logs import log
from tickboard.server.access.keeper import Keeper
from tickboard.server.access.login_queue import LoginQueue
from tickboard.server.requests.connection_limits import address_of
from tickboard.server.requests.guard import is_foreign
from tickboard.server.requests.identity import route_path
from tickboard.server.requests.refusal import error_response, refuse
from tickboard.server.requests.request_headers import Head, head_of

MAX_FORM_BYTES = 16_384
FORM_S = 10.0
"""How long the form may take to arrive."""

MAX_WAITING, MAX_WAITING_OF_EACH = 100, 10
"""How many logins may wait at a time, in all, and for one account from one address."""

AT_ONCE = 2
"""How many passwords are compared at a time: each takes 19 MiB and a core."""

_HOST_PAGE = re.compile(r"/hosts/[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/")
"""The path of the page of a host that the board follows."""

MAX_NEXT = 4_096
"""The longest query that is taken along through a login."""

WRONG = "This name and password are not known here. Try again."
USED = (
    "This link was used already, is older than ten minutes, or is for a board with other users. Make another one with "
    "tickboard login, as the user that runs this board and with its --access."
)

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; }
main { width: min(22rem, calc(100vw - 3rem)); padding: 1.5rem 0; }
h1 { font-size: 1.25rem; margin: 0 0 1rem; }
label { display: block; margin: 0.75rem 0 0; }
input, button { font: inherit; box-sizing: border-box; width: 100%; padding: 0.5rem 0.75rem; border-radius: 0.375rem; }
input { border: 1px solid GrayText; background: Field; color: FieldText; }
button { margin-top: 1.25rem; border: 0; background: #1f5fbf; color: #fff; font-weight: 600; cursor: pointer; }
input:focus-visible, button:focus-visible { outline: 3px solid #6aa5ff; outline-offset: 2px; }
p { margin: 0.75rem 0 0; }
.wrong { font-weight: 600; color: #b3261e; }
@media (prefers-color-scheme: dark) { .wrong { color: #ffb4ab; } }
"""

_STYLE_HASH = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


Entered = tuple[Records, str, Role | None]
"""The records without what was used up, whom they log in, and with which role if that is no user."""

Entry = Callable[[Records], Entered | None]
"""Returns whom a credential logs in, from the records as they are in the file; None: it is no longer good."""


class Form(Struct, frozen=True):
    """What a login sends: a name and a password, or the secret of a one-time link."""

    name: str = ""
    password: str = ""
    once: str = ""
    next: str = ""


class LoginPages:
    """The pages.

    Args:
        keeper: has the users.
        cookie: the name of the cookie.
    """

    def __init__(self, keeper: Keeper, cookie: str) -> None:
        self._keeper = keeper
        self._cookie = cookie
        self._slowdown = Slowdown()
        self._queue = LoginQueue(AT_ONCE, MAX_WAITING, MAX_WAITING_OF_EACH)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, identity: Identity | None) -> None:
        """Serve one request of a path of these pages."""
        try:
            response = await self._response(scope, receive, identity)
        except TickboardError as error:
            response = problem_page(error, route_path(scope))
        await refuse(response, scope, receive, send)

    @staticmethod
    def login_address(path: str, query: bytes) -> str | None:
        """Return the address of the login page, relative to that of a page; None: there is no page at this path.

        Args:
            path: the board's own, ``/``, or that of a host that the board follows.
            query: the request's, which comes back after the login.
        """
        asked = query.decode("latin-1")[:MAX_NEXT]
        if path == "/":
            return f"./login?{urlencode({'next': asked})}" if asked else "./login"
        if _HOST_PAGE.fullmatch(path):
            onward = f"{path[1:]}?{asked}" if asked else path[1:]
            return f"../../login?{urlencode({'next': onward})}"
        return None

    async def _response(self, scope: Scope, receive: Receive, identity: Identity | None) -> Response:
        if scope["type"] != "http":
            return error_response(404, "there is no WebSocket at this path: use ws/metrics")
        path = route_path(scope)
        is_logout = path == LOGOUT
        if scope["method"] in {"GET", "HEAD"} and not is_logout:
            return self._page(scope, identity)
        if scope["method"] != "POST" or path not in {LOGIN, LOGOUT}:
            allowed = "POST" if is_logout else "GET, HEAD, POST" if path == LOGIN else "GET, HEAD"
            return error_response(405, f"this page accepts {allowed}", {"allow": allowed})
        if is_foreign(head_of(scope)):
            return error_response(403, "only the login page of this board can log in or out")
        if is_logout:
            return await self._log_out(scope, identity)
        return await self._log_in(scope, await _form(scope, receive))

    def _page(self, scope: Scope, identity: Identity | None) -> Response:
        asked = _parameters(scope["query_string"].decode("latin-1"))
        onward = asked.get("next", [""])[0][:MAX_NEXT]
        # In the path, since the query of a URL is not shown in a terminal.
        if (path := route_path(scope)) != LOGIN:
            once = path.removeprefix(f"{LOGIN}/")
            link = self._keeper.authority.records.link(fingerprint(once), time.time())
            return page(USED, status=401, action="../login") if link is None else link_page(link.name, once)
        if is_token(token := asked.get("token", [""])[0]):
            # A kiosk. Nobody who is logged in is logged out by it.
            found = self._keeper.authority.by_token(token, time.time())
            if found is None or found.role != "viewer":
                return page("This token is not valid here, or is not one of a viewer.", status=401)
            return _welcome(onward) if identity is not None else self._with_cookie(_welcome(onward), scope, token)
        return page(onward=onward)

    # --- logging in ---

    async def _log_in(self, scope: Scope, form: Form) -> Response:
        entry = self._by_link(form.once) if form.once else await self._by_password(scope, form)
        how, address = "by link" if form.once else "by password", address_of(scope)
        secret = new_secret()
        name = None if entry is None else await self._begin(scope, secret, entry)
        if name is None:
            self._note_failure(form, address, how)
            return page(USED if form.once else WRONG, onward=form.next, name=form.name, status=401)
        self._keeper.audit.add(time.time(), "login", name, address, how)
        log.info("%s logged in from %s, %s", name, address, how)
        return self._with_cookie(_welcome(form.next), scope, secret, int(SESSION_S))

    async def _begin(self, scope: Scope, secret: str, entry: Entry) -> str | None:
        """Begin a session if its entry is still good, and return whom it logs in.

        It is one change, so a password that is changed or a user who is removed meanwhile opens nothing.
        """
        # A new secret for each login, and the old one ends: nobody can fix a session in another's browser.
        ended, now = self._sessions_of(scope), time.time()
        begun: list[str] = []

        def change(records: Records) -> Records:
            if (found := entry(records)) is None:
                return records
            rest, name, role = found
            begun[:] = [name]
            return rest.without_sessions(ended).with_session(Session(fingerprint(secret), name, now, now, role))

        await self._keeper.change(change)
        return begun[0] if begun else None

    def _note_failure(self, form: Form, address: str, how: str) -> None:
        """Record a failed login: as whom, if that is a user.

        Any other name may be made up, to displace entries and to fill the log, or is a password in the wrong field.
        """
        person = None if form.once else self._keeper.authority.records.person(form.name)
        who = person.name if person is not None else "a link that is not valid" if form.once else "an unknown name"
        if self._keeper.audit.fail(time.time(), "login failed", who, address, how):
            log.warning("a login from %s failed, %s: %s", address, how, who)

    def _by_link(self, once: str) -> Entry | None:
        used = fingerprint(once)
        # Anybody may send anything, so only a link that is known is worth a change of the file.
        if self._keeper.authority.records.link(used, time.time()) is None:
            return None

        def entry(records: Records) -> Entered | None:
            # The file is locked meanwhile, so that of two requests only one finds the link.
            if (link := records.link(used, time.time())) is None:
                return None
            person = records.person(link.name)
            return records.without_link(used), link.name if person is None else person.name, link.role

        return entry

    async def _by_password(self, scope: Scope, form: Form) -> Entry | None:
        account, address = f"account {folded(form.name)[:64]}", f"address {address_of(scope)}"

        def delay_s() -> float:
            return self._slowdown.delay_s(account, address, time.monotonic())

        async with self._queue.turn(address, account, delay_s):
            person = self._keeper.authority.records.person(form.name)
            known = None if person is None else person.password
            is_right = await asyncio.to_thread(matches, form.password[:LONGEST], known)
        if person is None or not is_right:
            self._slowdown.failed((account, address), time.monotonic())
            return None
        self._slowdown.worked(account, address)

        def entry(records: Records) -> Entered | None:
            now = records.person(person.name)
            return None if now is None or now.password != known else (records, now.name, None)

        return entry

    async def _log_out(self, scope: Scope, identity: Identity | None) -> Response:
        if ended := self._sessions_of(scope):
            await self._keeper.change(lambda records: records.without_sessions(ended))
        if identity is not None:
            self._keeper.audit.add(time.time(), "logout", identity.name, address_of(scope))
        response = RedirectResponse("./login", 303, {"cache-control": "no-store"})
        name, is_secure = _name_in(scope, self._cookie), _is_secure(scope)
        response.delete_cookie(name, _cookie_path(scope), secure=is_secure, httponly=True, samesite="lax")
        return response

    def _sessions_of(self, scope: Scope) -> frozenset[str]:
        """Return the fingerprints of the sessions that a browser has."""
        known = frozenset(each.fingerprint for each in self._keeper.authority.records.sessions)
        return known.intersection(map(fingerprint, secrets_in(scope, self._cookie)))

    def _with_cookie(self, response: Response, scope: Scope, secret: str, max_age_s: int | None = None) -> Response:
        response.set_cookie(
            _name_in(scope, self._cookie),
            secret,
            max_age_s,
            path=_cookie_path(scope),
            secure=_is_secure(scope),
            httponly=True,
            samesite="lax",
        )
        return response


# --- cookies and redirects ---


def cookie_name(path: Path) -> str:
    """Return the name of the cookie for the users of an access file.

    A browser sends a cookie to every port of a host. So boards with other users have another name, and those with the
    same users share a login.
    """
    return f"tickboard_{hashlib.sha256(str(path.absolute()).encode(errors='surrogateescape')).hexdigest()[:8]}"


def secrets_in(scope: Scope, name: str) -> Sequence[str]:
    """Return the secrets in the cookies of a request, those that nobody else can have set first.

    Args:
        scope: the request's.
        name: as `cookie_name` returns it.
    """
    head = head_of(scope)
    # With a prefix, a browser takes a cookie over TLS alone, and without one, another site of the domain may plant it.
    if _is_secure(scope):
        return cookies_named(head, _name_in(scope, name))
    # A proxy that has TLS need not say so for each request.
    return [*cookies_named(head, _prefix(scope) + name), *cookies_named(head, name)]


def cookies_named(head: Head, name: str) -> Sequence[str]:
    """Return the values of a cookie in a request."""
    found = []
    for header in head.get("cookie", ()):
        for each in header.split(";"):
            key, _, value = each.strip().partition("=")
            if key == name:
                found.append(value)
    return found


def _is_secure(scope: Scope) -> bool:
    return scope.get("scheme") in {"https", "wss"}


def _name_in(scope: Scope, name: str) -> str:
    """Return the name of the cookie that a request is answered with (draft-ietf-httpbis-rfc6265bis, section 4.1.3)."""
    return _prefix(scope) + name if _is_secure(scope) else name


def _prefix(scope: Scope) -> str:
    return "__Host-" if _cookie_path(scope) == "/" else "__Secure-"


def _cookie_path(scope: Scope) -> str:
    return quote(scope.get("root_path", "") + "/")


def _welcome(onward: str) -> Response:
    """Return the redirect to the board's page. Its address is relative, so it cannot lead anywhere else."""
    page, _, query = onward.partition("?")
    if _HOST_PAGE.fullmatch(f"/{page}"):
        onward = query
    else:
        page, onward = "", onward.removeprefix("?")
    where = f"./{page}?{quote(onward, safe='=&%+,:;*~.-_')}" if onward else f"./{page}"
    return RedirectResponse(where, 303, {"cache-control": "no-store"})


async def _form(scope: Scope, receive: Receive) -> Form:
    """Return what a browser has sent.

    Raises:
        PayloadError: it is not a form, or is too large or too slow.
    """
    kind = ",".join(head_of(scope).get("content-type", ())).partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise PayloadError("send the login form, as application/x-www-form-urlencoded", 415)
    body = b""
    try:
        async with asyncio.timeout(FORM_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise PayloadError("the form is incomplete")
                body += message.get("body", b"")
                if len(body) > MAX_FORM_BYTES:
                    raise PayloadError(f"the form has more than {MAX_FORM_BYTES} bytes", 413)
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise PayloadError("the form arrived too slowly", 408) from None
    sent = _parameters(body.decode(errors="replace"))
    return Form(**{name: sent[name][0] for name in Form.__struct_fields__ if name in sent})


def _parameters(text: str) -> dict[str, list[str]]:
    """Return the parameters of a query or a form.

    Raises:
        PayloadError: there are too many.
    """
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise PayloadError("there are too many parameters: send 20 at most") from None


# --- pages ---


def page(
    problem: str = "", *, onward: str = "", name: str = "", status: int = 200, action: str = "./login"
) -> Response:
    """Return the login page.

    Args:
        problem: what went wrong before; empty: nothing.
        onward: the query to take along.
        name: what was entered before.
        status: the HTTP status.
        action: the address that the form is sent to, relative to the page's.
    """
    return _document(
        "Log in",
        f"""{f'<p class="wrong" role="alert">{html.escape(problem)}</p>' if problem else ""}
<form method="post" action="{action}">
<input type="hidden" name="next" value="{html.escape(onward)}">
<label for="name">Name</label>
<input id="name" name="name" value="{html.escape(name[:64])}" autocomplete="username" autocapitalize="none" required>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button type="submit">Log in</button>
</form>
<p>No password, or forgotten? On the machine that serves the board, run <code>tickboard login</code>.</p>""",
        status,
    )


def problem_page(error: TickboardError, path: str) -> Response:
    """Return the login page with an error, since a browser shows what a form is answered with."""
    message = str(error)
    action = "./login" if path in {LOGIN, LOGOUT} else "../login"
    response = page(f"{message[:1].upper()}{message[1:]}.", status=error.status, action=action)
    if isinstance(error, BusyError):
        response.headers["retry-after"] = str(error.retry_after_s)
    return response


def link_page(name: str, once: str) -> Response:
    """Return the page of a one-time link. Mail and chat programs open links to look at them, but press no button."""
    return _document(
        "Log in",
        f"""<form method="post" action="../login">
<input type="hidden" name="once" value="{html.escape(once)}">
<p>This link logs you in as <strong>{html.escape(name)}</strong>, once.</p>
<button type="submit">Log in</button>
</form>""",
    )


def _document(title: str, content: str, status: int = 200) -> Response:
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Tickboard</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>Tickboard</h1>
{content}
</main>
</body>
</html>
"""
    return Response(
        text,
        status,
        # With the policy no-referrer, a browser would send its form with the Origin `null`.
        {"cache-control": "no-store", "content-security-policy": POLICY, "referrer-policy": "same-origin"},
        "text/html; charset=utf-8",
    )
