"""A FastAPI application whose users see its dashboard at /live: ``uvicorn fastapi_login:app``, from this folder."""

import secrets
from typing import Annotated

from fastapi import Cookie, FastAPI, HTTPException, Response
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.types import Scope

from tickboard import Board

# Yours are in a database, with passwords that are hashed.
PEOPLE = {"ann": ("operator", "correct horse battery"), "bob": ("viewer", "staple of the horse")}
sessions: dict[str, str] = {}


class Login(BaseModel):
    """A name and a password."""

    name: str
    password: str


def authorize(scope: Scope) -> tuple[str, str] | None:
    """Say who asks for the board. It looks up the session each time, so that a logout ends open pages."""
    name = sessions.get(HTTPConnection(scope).cookies.get("session", ""))
    return None if name is None else (PEOPLE[name][0], name)


board = Board("My service", authorize=authorize)
board.counter("orders", "Orders", unit="/s")

app = FastAPI(lifespan=board.lifespan)
app.mount("/live", board)


@app.post("/login")
async def log_in(login: Login, response: Response) -> None:
    """Log somebody in."""
    _, password = PEOPLE.get(login.name, ("", secrets.token_hex()))
    if not secrets.compare_digest(password.encode(), login.password.encode()):
        raise HTTPException(401)
    session = secrets.token_urlsafe()
    sessions[session] = login.name
    response.set_cookie("session", session, httponly=True, samesite="lax")


@app.post("/logout")
async def log_out(session: Annotated[str, Cookie()] = "") -> None:
    """Log somebody out, and end their open pages of the board within seconds."""
    sessions.pop(session, None)
