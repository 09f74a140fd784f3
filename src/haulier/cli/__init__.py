"""The program `haulier`. Commands import what they need when they run, so that `--help` and `token` stay quick."""

__all__ = ["main"]


def main() -> None:
    """Run the program; the exit codes are in failures.py."""
    from haulier.cli.program import app

    app(prog_name="haulier")
