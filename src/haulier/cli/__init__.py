"""The program `haulier`. Commands import what they need when they run, so that `--help` and `token` stay quick."""

__all__ = ["main"]


def main() -> None:
    """Run the program; the exit codes are in failures.py."""
    from typer.main import get_command

    from haulier.cli.completion import use_ours
    from haulier.cli.program import app
    from haulier.cli.stdout import speak_any_locale

    speak_any_locale()
    command = get_command(app)
    use_ours()
    command(prog_name="haulier")
