"""The options of a host: its name and labels among other hosts, and where it publishes.

The command line, the environment, ``tickboard.toml`` and the dashboard file may each set some of them, and `over`
combines them. Nothing here sends anything.
"""

import re
import socket
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Self

from msgspec.structs import replace

from tickboard.configuration.options import PartialOptions, Refusal, read_options
from tickboard.errors import InputError
from tickboard.expressions.alignment import Labels
from tickboard.fleet.messages import NAME, check_name
from tickboard.fleet.nats_options import NatsAddress, NatsOptions, read_servers
from tickboard.fleet.wall_labels import HOST, MAX_OWN_LABELS
from tickboard.output.secrets import public

NONE = "none"
"""In place of a URL: nothing is published."""

MAX_LABEL_TEXT = 200

_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class HostOptions(PartialOptions, frozen=True):
    """The options of a host; None means not set.

    Attributes:
        nats: the NATS servers to publish on; empty: none.
        name: the host's name, unique among the hosts that a wall follows.
        labels: added to the host's series on a wall, by name.
        credentials: a credentials file of NATS.
        ca: the certificates that a NATS server's must be signed by, in PEM.
        certificate: the host's own certificate for NATS, in PEM.
        key: its key, in PEM.
    """

    nats: tuple[NatsAddress, ...] | None = None
    name: str | None = None
    labels: Labels | None = None
    credentials: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def read(cls, written: Mapping[str, object], environ: Mapping[str, str], refusal: Refusal) -> "HostOptions":
        """Parse options as people write them.

        Args:
            written: by the names of the attributes; None means not set.
            environ: the environment variables that ``${NAME}`` in a URL refers to.
            refusal: makes the error for an invalid option.

        Raises:
            InputError: an option is invalid.
        """
        readers: dict[str, Callable[..., object]] = {**_READ, "nats": partial(_read_nats, environ=environ)}
        return cls(**read_options(readers, written, refusal))

    def over(self, others: Self) -> Self:
        """Return these options, with those that are not set taken from others.

        Credentials and certificates that were written with some servers are shown to no others.
        """
        if self.nats is not None and others.nats is not None:
            others = replace(others, credentials=None, ca=None, certificate=None, key=None)
        return super().over(others)

    @property
    def nats_options(self) -> NatsOptions | None:
        """How to reach NATS; None: nothing is published."""
        if not self.nats:
            return None
        return NatsOptions(self.nats, self.credentials, self.ca, self.certificate, self.key)

    def check(self, *, follows_nats: bool = False) -> None:
        """Check the options of all places together.

        Args:
            follows_nats: whether the board follows the hosts of a NATS server, to which the files are shown as well.

        Raises:
            InputError: there are files for NATS, but no server.
        """
        files = (self.credentials, self.ca, self.certificate, self.key)
        if self.nats is None and not follows_nats and (unused := [str(file) for file in files if file is not None]):
            raise InputError(f"{unused[0]} is for NATS, but no server is named: give one with --nats or nats=")

    @property
    def host_name(self) -> str:
        """The host's name; that of the machine if none is set."""
        return self.name or machine_name()


def machine_name() -> str:
    """Return the name of this machine in the form of a host's name."""
    cleaned = _NOT_IN_NAMES.sub("-", socket.gethostname())[:100].strip("._-")
    return cleaned if NAME.fullmatch(cleaned) else HOST


def _read_nats(value: object, environ: Mapping[str, str]) -> tuple[NatsAddress, ...]:
    if not isinstance(value, str):
        raise InputError("give a URL, such as nats://localhost:4222")
    return () if value == NONE else read_servers(value, environ)


def _read_name(value: object) -> str:
    if not isinstance(value, str):
        raise InputError(f"{value!r:.40}: give a name, such as web-1")
    return check_name(value)


def _read_labels(value: object) -> Labels:
    if not isinstance(value, Mapping):
        raise InputError('give names and values such as {"env": "prod"}')
    if len(value) > MAX_OWN_LABELS:
        raise InputError(f"{len(value)} labels: give up to {MAX_OWN_LABELS}")
    for name, text in value.items():
        if not isinstance(name, str) or not _LABEL.fullmatch(name):
            raise InputError(
                f"{name!r:.40} is not a label name: start with a letter or _, and use letters, digits, _ and ."
            )
        if name == HOST:
            raise InputError(f"label {HOST} is the host's name: set that with --name or name=")
        if not isinstance(text, str) or not text or len(text) > MAX_LABEL_TEXT or not text.isprintable():
            raise InputError(f"label {name}={text!r:.40}: give 1 to {MAX_LABEL_TEXT} characters that can be printed")
    return tuple(sorted(value.items()))


def _read_file(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise InputError("give the name of a file")
    # Absolute, since a dashboard file may change the current folder.
    return Path(value).absolute()


_READ: dict[str, Callable[..., object]] = {
    "name": _read_name,
    "labels": _read_labels,
    "credentials": _read_file,
    "ca": _read_file,
    "certificate": _read_file,
    "key": _read_file,
}


def shown_servers(text: str) -> str:
    """Return the URLs of servers as they may be shown."""
    return ",".join(public(url) for url in text.split(","))
