"""The program `haulier`. Commands import what they need when they run, so that `--help` and `token` stay quick."""

__all__ = ["main"]


def main() -> None:
    """Run the program; the exit codes are in failures.py."""
    from haulier.cli.program import app
    from haulier.cli.stdout import speak_any_locale

    speak_any_locale()
    app(prog_name="haulier")
