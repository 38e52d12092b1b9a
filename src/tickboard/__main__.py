"""The program: ``tickboard``, and ``python -m tickboard``."""

from tickboard.output.terminal import prepare


def main() -> None:
    """Run the command line."""
    # Before the rest is imported: some libraries open files as they are.
    prepare()
    from tickboard.cli.imports import imports

    try:
        with imports():
            from tickboard.cli.main import main
    except KeyboardInterrupt:
        raise SystemExit(130) from None

    main()


if __name__ == "__main__":
    main()
