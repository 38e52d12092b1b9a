"""What ``tickboard hosts`` asks of a wall: which hosts it follows, and to forget one."""

from urllib.parse import quote

import msgspec

from tickboard.client.asking import TIMEOUT_S, answer_of, question_url, refusal
from tickboard.errors import RefusedError
from tickboard.wire import HostInfo, HostList

LIST = "list the hosts of"


def list_hosts(url: str, name: str = "url") -> list[HostInfo]:
    """Return the hosts that a wall follows, by name; none if it is no wall.

    A token in ``TICKBOARD_TOKEN`` is sent.

    Args:
        url: the wall's address in a browser.
        name: how errors name `url`.

    Raises:
        InputError: the address cannot be used.
        RefusedError: the wall cannot be reached or refuses to answer, or the server is not a board.
    """
    body = answer_of(url, question_url(url, "/api/hosts", [], [], name), None, TIMEOUT_S, doing=LIST)
    try:
        return msgspec.json.decode(body, type=HostList).hosts
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        why = "the answer is not a list of hosts: give the address of a wall"
        raise RefusedError(refusal(url, why, LIST)) from None


def forget_host(url: str, host: str, name: str = "url") -> None:
    """Make a wall forget a host that is gone; a token needs the role operator.

    Args:
        url: the wall's address in a browser.
        host: the host's name.
        name: how errors name `url`.

    Raises:
        InputError: the address cannot be used.
        RefusedError: the wall cannot be reached, does not know the host, or refuses since it is live.
    """
    address = question_url(url, f"/api/hosts/{quote(host, safe='')}", [], [], name)
    answer_of(url, address, None, TIMEOUT_S, doing=f"forget {host} on", method="DELETE")
