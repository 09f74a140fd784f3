"""The program `haulier`. Commands import what they need when they run, so that `--help` and `token` stay quick."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the program; the exit codes are in failures.py."""
    try:
        from typer.main import get_command

        from haulier.cli.completion import use_ours
        from haulier.cli.program import app
        from haulier.cli.stdout import speak_any_locale

        speak_any_locale()
        command = get_command(app)
        use_ours()
    except KeyboardInterrupt:  # Ctrl-C while all this is read from disk
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)
    command(prog_name="haulier")
