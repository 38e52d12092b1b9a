"""The program: ``tickboard``, and ``python -m tickboard``."""

from tickboard.output.terminal import prepare


def main() -> None:
    """Run the command line."""
    # Before the rest is imported: some libraries open files as they are.
    prepare()
    from tickboard.cli.imports import imports

    with imports():
        from tickboard.cli.main import main

    main()


if __name__ == "__main__":
    main()
