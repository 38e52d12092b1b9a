"""The command line: its commands, their flags, and what happens when one fails.

What a command needs is imported when it runs, so that help and completion come at once.
"""

import gc
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

import tickboard
from tickboard.cli.flags import PATH, Group, flags
from tickboard.cli.imports import imports
from tickboard.cli.serving_options import Options, exposed, fail
from tickboard.cli.where import Where
from tickboard.errors import InputError, OutputError, RefusedError, TickboardError
from tickboard.output.secrets import is_exposed, read_secret, remember_environment
from tickboard.output.terminal import Answers, complain, finish, put

if TYPE_CHECKING:
    from tickboard.history.export_formats import Form
    from tickboard.sources.pipe import Format

COMPLETE = "_TICKBOARD_COMPLETE"
"""The environment variable that the script of `completion` sets to ask for completions."""

MARK_FLAGS = {"url": "--url", "timestamp": "--at", "until": "--until", "by": "--by"}
"""The flags of `mark`, by the names of the fields that they set in the request."""

_WORD = re.compile(r"[^ \n\t]+")


def _print_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        put(tickboard.__version__)
        ctx.exit()


@click.group(
    cls=Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.option(
    "--scrape",
    multiple=True,
    help="A Prometheus target to show too, such as http://localhost:9100/metrics. ${NAME} in it is read from the "
    "environment. May be repeated.",
)
@click.option(
    "--statsd",
    metavar="[HOST:]PORT",
    help="Listen to StatsD on this UDP port too, such as 8125: on loopback, unless you name an address.",
)
@flags(Options, "options")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
@click.pass_context
def app(ctx: click.Context, scrape: tuple[str, ...], statsd: str | None, options: Options) -> None:
    """A live dashboard in Python.

    Without a command, show this machine: CPU, memory, disks, network and processes, and metrics that are sent to it.
    """
    if ctx.invoked_subcommand is None:
        with imports():
            from tickboard.cli import serving

        serving.host(scrape, statsd, options)


@app.command()
@click.argument("file", type=PATH)
@flags(Options, "options")
def run(file: Path, options: Options) -> None:
    """Serve a dashboard file: a Python file that makes a Board."""
    with imports():
        from tickboard.cli import serving

    serving.run(file, options)


@app.command()
@click.argument("file", type=PATH)
@flags(Options, "options")
def dev(file: Path, options: Options) -> None:
    """Serve a dashboard file and reload it when it changes. Viewers stay connected."""
    with imports():
        from tickboard.cli import serving

    serving.dev(file, options)


@app.command()
@click.argument("file", type=PATH)
@click.option("--config", type=PATH, help="A tickboard.toml, instead of the one beside the file.")
def check(file: Path, config: Path | None) -> None:
    """Load a dashboard file, and print a summary or the error."""
    with imports():
        from tickboard.cli import checking

    checking.check(file, config)


@app.command()
@click.argument("file", type=PATH, required=False)
@click.option("--test", is_flag=True, help="Required, so that no message is sent by mistake.")
@click.option("--config", type=PATH, help="A tickboard.toml, instead of the one beside the file.")
def notify(file: Path | None, test: bool, config: Path | None) -> None:
    """Send a test message to every notifier of a board. Exit with 1 if one was not delivered.

    Without a FILE, the board is that of this machine.
    """
    if not test:
        raise InputError("notify sends a test message to every notifier of the board: confirm it with --test")
    with imports():
        from tickboard.cli import checking

    if not checking.notify(file, config):
        raise SystemExit(1)


@app.command()
@click.option("--title", default="Live Dashboard", show_default=True, help="The page's heading.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", "lines", "json", "csv"]),
    default="auto",
    show_default=True,
    help="The form of the lines: a name, a value and a unit; JSON; or CSV.",
)
@flags(Options, "options")
def pipe(title: str, form: "Format", options: Options) -> None:
    """Show the numbers that a command prints: some-command | tickboard pipe."""
    with imports():
        from tickboard.cli import serving

    serving.pipe(title, form, options)


@app.command()
@click.argument("urls", metavar="[URL]...", nargs=-1)
@click.option("--title", default="Hosts", show_default=True, help="The page's heading.")
@click.option(
    "--token-file",
    type=PATH,
    help="A file with a line 'URL TOKEN' for each host that needs a token: tickboard token create --role viewer.",
)
@click.option(
    "--metrics",
    multiple=True,
    help="Metrics of the hosts to show beside their overview: a name, a glob or labels. May be repeated.",
)
@flags(Options, "options")
def follow(
    urls: tuple[str, ...], title: str, token_file: Path | None, metrics: tuple[str, ...], options: Options
) -> None:
    """Show other boards as hosts on one wall: tickboard follow http://web-1:3000 http://web-2:3000.

    A URL is that of a host's page, or of a NATS server, whose hosts are all followed: tickboard follow
    nats://nats.example.com. ${NAME} in it is read from the environment. --config may name more hosts. The first URL
    names the files of the log of alerts and the history.
    """
    with imports():
        from tickboard.cli import serving

    serving.follow(urls, title, token_file, metrics, options)


@app.command()
@click.option(
    "--from",
    "start",
    default="-1h",
    show_default=True,
    help="The beginning of the range, inclusive: RFC 3339, an age such as -1d, or now.",
)
@click.option("--to", "end", default="now", show_default=True, help="The end of the range, exclusive.")
@click.option(
    "--metrics",
    multiple=True,
    help="Which series: a name, a glob or labels, such as 'disk_*'. May be repeated. All series by default.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "ndjson", "openmetrics"]),
    default="csv",
    show_default=True,
    help="csv and ndjson are ordered by time. promtool tsdb create-blocks-from reads openmetrics.",
)
@flags(Where, "where")
def export(start: str, end: str, metrics: tuple[str, ...], form: "Form", where: Where) -> None:
    """Print every tick of a range of time. Works while the board runs. Exit with 1 if there are none."""
    with imports():
        from tickboard.cli import history

    if not history.export(start, end, metrics, form, where):
        raise SystemExit(1)


@app.group(name="history")
def history_group() -> None:
    """Inspect a board's history file, copy it, or remove series."""


@history_group.command()
@flags(Where, "where")
def info(where: Where) -> None:
    """Print what is kept, since when, and how large it is. Works while the board runs."""
    with imports():
        from tickboard.cli import history

    history.info(where)


@history_group.command()
@click.argument("file", type=PATH)
@flags(Where, "where")
def backup(file: Path, where: Where) -> None:
    """Copy the history into a new file. Works while the board runs."""
    with imports():
        from tickboard.cli import history

    history.backup(file, where)


@history_group.command()
@click.option(
    "--metrics", multiple=True, help="Which series: a name, a glob or labels, such as 'disk_*'. May be repeated."
)
@flags(Where, "where")
def forget(metrics: tuple[str, ...], where: Where) -> None:
    """Remove series and all their values from the history. Stop the board first."""
    with imports():
        from tickboard.cli import history

    if not history.forget(metrics, where):
        raise SystemExit(1)


@app.command()
def schema() -> None:
    """Print the JSON Schema of tickboard.toml, for editors."""
    with imports():
        from tickboard.cli import checking

    checking.schema()


@app.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="SHELL")
def completion(shell: str) -> None:
    """Print the script that completes commands and flags in a SHELL: source <(tickboard completion bash)."""
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    assert script is not None
    Answers().write(script(app, {}, "tickboard", COMPLETE).source())


@app.command()
@click.argument("url", default="http://127.0.0.1:3000")
def health(url: str) -> None:
    """Print the health of the board at a URL on one line. Exit with 1 if it publishes no ticks.

    The URL is that of its page, http://127.0.0.1:3000 by default. ${NAME} in it is read from the environment.
    """
    with imports():
        from tickboard.cli.probe import probe

    if is_exposed(url):
        complain(f"tickboard: {exposed('health', url)}")
    healthy, line = probe(read_secret(url, os.environ).reveal())
    put(line)
    if not healthy:
        raise SystemExit(1)


@app.command()
@click.argument("text")
@click.option(
    "--url",
    default="http://127.0.0.1:3000",
    show_default=True,
    help="The address of the board's page. ${NAME} in it is read from the environment.",
)
@click.option("--at", default="now", show_default=True, help="When: RFC 3339, an age such as -15m, or now.")
@click.option("--until", help="When it ended, in the same form. Without it, the mark is a moment.")
@click.option("--by", default="", help="Who or what made the mark.")
def mark(text: str, url: str, at: str, until: str | None, by: str) -> None:
    """Mark a moment on a running board, such as a deployment: tickboard mark 'deployed 1.4'. Exit with 1 on failure."""
    with imports():
        from tickboard.client.mark import make_mark

    def ask(board: str) -> None:
        made = make_mark(board, text, at, until, by, names=MARK_FLAGS)
        put(f"{made.timestamp}{f' to {made.until}' if made.until else ''}: {made.text}")

    _ask(url, ask)


@app.group(name="hosts")
def hosts_group() -> None:
    """List the hosts that a wall follows, or make it forget one that is gone."""


WALL = click.option(
    "--url",
    default="http://127.0.0.1:3000",
    show_default=True,
    help="The address of the wall's page. ${NAME} in it is read from the environment.",
)


@hosts_group.command(name="list")
@WALL
def hosts_list(url: str) -> None:
    """List the hosts of a wall, and the state of each. Exit with 1 if it does not answer."""
    with imports():
        from tickboard.cli.hosts import print_hosts

    _ask(url, print_hosts)


@hosts_group.command(name="forget")
@click.argument("name")
@WALL
def hosts_forget(name: str, url: str) -> None:
    """Make a wall forget a host that is gone for good; what it has recorded stays. Exit with 1 if it refuses."""
    with imports():
        from tickboard.cli.hosts import forget

    _ask(url, lambda wall: forget(name, wall))


def _ask(url: str, ask: Callable[[str], None]) -> None:
    """Ask a board at an address, with the secrets in it, and exit with 1 if there is no good answer."""
    if is_exposed(url):
        complain(f"tickboard: {exposed('--url', url)}")
    try:
        ask(read_secret(url, os.environ).reveal())
    except RefusedError as error:
        complain(f"tickboard: {error}")
        raise SystemExit(1) from None


ACCESS = click.option(
    "--access", metavar="FILE", help="The file that keeps users and tokens (TICKBOARD_ACCESS, or one for each OS user)."
)


@app.group(name="token")
def token_group() -> None:
    """Make tokens for programs and wall displays, list or revoke them."""


@token_group.command(name="create")
@click.option(
    "--role",
    type=click.Choice(["viewer", "sender", "operator"]),
    required=True,
    help="viewer: sees everything. sender: writes metrics. operator: also acknowledges, silences and marks.",
)
@click.option(
    "--name", required=True, help="What the token is for, such as ci. It is shown with what the program does."
)
@click.option(
    "--expires", default="90d", show_default=True, help="How long it is valid, such as 90d; never: until it is revoked."
)
@click.option(
    "--metrics",
    multiple=True,
    help="Declared metrics that a sender may write, such as 'jobs_*'. May be repeated. It may write undeclared ones.",
)
@click.option(
    "--board",
    default="*",
    show_default=True,
    help="Where it is valid: a dashboard file, host for this machine's, program for boards that programs serve, "
    "'pipe TITLE', or *.",
)
@ACCESS
def token_create(role: str, name: str, expires: str, metrics: tuple[str, ...], board: str, access: str | None) -> None:
    """Print a new token. It is not shown again: only a fingerprint of it is kept."""
    with imports():
        from tickboard.cli import accounts

    accounts.create_token(role, name, expires, metrics, board, access)


@token_group.command(name="list")
@ACCESS
def token_list(access: str | None) -> None:
    """Print all tokens: id, name, role, board, metrics, and when they end."""
    with imports():
        from tickboard.cli import accounts

    accounts.list_tokens(access)


@token_group.command(name="revoke")
@click.argument("token")
@ACCESS
def token_revoke(token: str, access: str | None) -> None:
    """End a TOKEN, named by its id, or by its name if no other token has that. Its open streams end within seconds."""
    with imports():
        from tickboard.cli import accounts

    accounts.revoke_token(token, access)


@app.group(name="user")
def user_group() -> None:
    """Add users, change passwords or roles, list or remove users, or log them out.

    A password is read from the terminal, or from standard input if that is no terminal.
    """


@user_group.command(name="add")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["viewer", "operator", "admin"]),
    default="viewer",
    show_default=True,
    help="viewer: sees everything. operator: also acknowledges, silences and marks. admin: everything.",
)
@click.option("--no-password", is_flag=True, help="For a user who logs in by a link, or through a trusted proxy.")
@ACCESS
def user_add(name: str, role: str, no_password: bool, access: str | None) -> None:
    """Add a user. NAME is shown with what they do."""
    with imports():
        from tickboard.cli import accounts

    accounts.add_user(name, role, no_password=no_password, access=access)


@user_group.command(name="passwd")
@click.argument("name")
@ACCESS
def user_passwd(name: str, access: str | None) -> None:
    """Change the password of the user NAME, and log them out everywhere."""
    with imports():
        from tickboard.cli import accounts

    accounts.change_password(name, access)


@user_group.command(name="role")
@click.argument("name")
@click.argument("role", type=click.Choice(["viewer", "operator", "admin"]))
@ACCESS
def user_role(name: str, role: str, access: str | None) -> None:
    """Change the role of the user NAME. Their open pages end within seconds, and begin again with the new ROLE."""
    with imports():
        from tickboard.cli import accounts

    accounts.change_role(name, role, access)


@user_group.command(name="list")
@ACCESS
def user_list(access: str | None) -> None:
    """Print all users, their roles, and in how many browsers they are logged in."""
    with imports():
        from tickboard.cli import accounts

    accounts.list_users(access)


@user_group.command(name="remove")
@click.argument("name")
@ACCESS
def user_remove(name: str, access: str | None) -> None:
    """Remove the user NAME, and log them out everywhere."""
    with imports():
        from tickboard.cli import accounts

    accounts.remove_user(name, access)


@user_group.command(name="logout")
@click.argument("name")
@ACCESS
def user_logout(name: str, access: str | None) -> None:
    """Log the user NAME out everywhere, within seconds."""
    with imports():
        from tickboard.cli import accounts

    accounts.log_out(name, access)


@app.command()
@click.option("--user", help="Whom the link logs in. Without it, an admin.")
@click.option(
    "--url", default="http://127.0.0.1:3000", show_default=True, help="The address of the board's page in the browser."
)
@ACCESS
def login(user: str | None, url: str, access: str | None) -> None:
    """Print a link that logs somebody in once, within ten minutes: for the first login, or a lost password."""
    with imports():
        from tickboard.cli import accounts

    accounts.print_link(user, url, access)


def main() -> None:
    """Run the command line and exit.

    The status is 0 for success, 1 if the answer is no or cannot be printed, and 2 if the user made a mistake.
    """
    if COMPLETE in os.environ:
        app.main(prog_name="tickboard", complete_var=COMPLETE)
    remember_environment(os.environ)
    try:
        _run()
    finally:
        finish()
        # The system frees all memory at once. The collector would look through it first and delay the exit.
        gc.freeze()


def _run() -> None:
    try:
        with app.make_context("tickboard", sys.argv[1:]) as ctx:
            app.invoke(ctx)
    except click.exceptions.Exit as ended:
        raise SystemExit(ended.exit_code) from None
    except click.exceptions.NoArgsIsHelpError as error:
        put(*error.format_message().splitlines())
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx is not None else "tickboard"
        # Split only at spaces, tabs and line ends, so that other white space is shown escaped.
        message = " ".join(_WORD.findall(error.format_message()))
        fail(f"{message}{'' if message.endswith(('.', '?')) else '.'} See {command} --help.")
    except OutputError as error:
        # A reader such as head that has read enough is not an error.
        if not isinstance(error.__cause__, BrokenPipeError):
            complain(f"tickboard: {error}")
        raise SystemExit(1) from None
    except TickboardError as error:
        fail(str(error))
    except KeyboardInterrupt:
        # Ctrl-C before the board is served, for example while its file is loaded. Shells use this status for SIGINT.
        raise SystemExit(130) from None
