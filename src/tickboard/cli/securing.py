"""Access to a board that is served: whether people log in, and what is printed about that at the start."""

import os
import socket
import sys
from collections.abc import Callable

from tickboard.access.links import new_link
from tickboard.cli.serving_options import Options
from tickboard.errors import InputError
from tickboard.problems import Reporter
from tickboard.running.keeping import open_keeper
from tickboard.running.password_file import VARIABLE, password_file
from tickboard.server.access.keeper import Keeper
from tickboard.server.uvicorn.listening import is_loopback, url_from_elsewhere


def keeper_of(options: Options, bound: str, named: str, problems: Callable[[], Reporter]) -> Keeper | None:
    """Return what keeps users and tokens; None: nobody has to log in.

    A board on loopback, about which nothing else is said, is open to this machine and closed to clients of a proxy.

    Args:
        options: the flags.
        bound: the address that the server's socket is bound to.
        named: what tokens call the board.
        problems: returns where problems with the access file are reported.

    Raises:
        AccessError: people have to log in, and the access file cannot be used.
        InputError: the file that ``TICKBOARD_PASSWORD_FILE`` names, or a flag, cannot be used.
    """
    if options.auth == "none":
        if options.proxy is not None:
            raise InputError("--trusted-proxy with --auth none: nobody logs in then; leave one of them out")
        return None
    at_once = options.auth is not None or options.proxy is not None or not is_loopback(bound)
    return open_keeper(lambda: options.access_path, named, problems, at_once=at_once)


def greeting_of_access(host: str, listening: socket.socket, path: str, keeper: Keeper | None, scheme: str) -> list[str]:
    """Return the lines that are printed at the start: who may do what, and how to log in.

    A link is made if nobody could log in otherwise, or if a person reads this in a terminal. Logs keep what is printed,
    so a service that has an admin does not print one at each start.

    Raises:
        AccessError: the access file cannot be written.
    """
    is_local = is_loopback(listening.getsockname()[0])
    if keeper is None:
        return [] if is_local else ["  Anyone who reaches this port may see and change everything: --auth none."]
    lines = (
        [] if is_local or scheme == "https" else ["  Without TLS, passwords travel in clear text: see docs/deploy.md."]
    )
    if (named := password_file(os.environ)) is not None:
        lines.append(f"  The user admin has the password in {named}, as {VARIABLE} says.")
    if not keeper.at_once:
        return lines
    has_admin = any(each.role == "admin" and each.password for each in keeper.authority.records.people)
    if has_admin and not sys.stdout.isatty():
        return [*lines, "  People log in; tickboard login prints a link that logs an admin in once."]
    link = new_link(keeper.file, None)
    # So that it is known to the first request.
    keeper.read()
    address = f"{url_from_elsewhere(host, listening, scheme)}{path or '/'}login/{link}"
    return [*lines, "  People log in. This link logs an admin in, once, within ten minutes:", f"  {address}"]
