"""Completion in bash, zsh and fish: the scripts that the shells load, and what the program answers them.

Typer's own scripts run `haulier` from PATH whatever was typed, and offer file names for everything without an answer.
Ours run what was typed. The program answers a candidate a line, or `FILES` where a place in the file system is meant.
"""

import sys
from pathlib import Path
from typing import Any

import typer
from typer import _completion_classes as theirs  # pyright: ignore[reportPrivateUsage]
from typer import _completion_shared as scripts  # pyright: ignore[reportPrivateUsage]
from typer._click import shell_completion  # pyright: ignore[reportPrivateUsage]

FILES = ":files:"
PLACES = {"PATH", "DIR", "FILE"}  # metavars of what is a file or a folder
OPTIONS = ("--show-completion", "--install-completion")

BASH = """
%(complete_func)s() {
    local IFS=$'\\n' found
    found=( $( env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \\
        %(autocomplete_var)s=complete_bash "${1/#\\~/$HOME}" 2> /dev/null ) )
    COMPREPLY=( "${found[@]}" )
    if [ "${found[0]}" = ":files:" ]; then
        COMPREPLY=()
        compopt -o default 2> /dev/null
    fi
}

complete -F %(complete_func)s %(prog_name)s
"""

ZSH = """
#compdef %(prog_name)s

%(complete_func)s() {
  local -a found
  found=("${(@f)$(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" \\
    %(autocomplete_var)s=complete_zsh ${~words[1]} 2> /dev/null)}")
  if [[ $found[1] == ":files:" ]]; then
    _files
  elif [[ -n $found[1] ]]; then
    _describe -V %(prog_name)s found
  fi
}

compdef %(complete_func)s %(prog_name)s
if [[ $funcstack[1] == _%(prog_name)s ]]; then %(complete_func)s; fi
"""

FISH = """
function %(complete_func)s
    set -l program (string replace -r '^~' $HOME -- (commandline -opc)[1])
    set -l found (env %(autocomplete_var)s=complete_fish _TYPER_COMPLETE_ARGS=(commandline -cp) $program 2> /dev/null)
    if test "$found[1]" = ":files:"
        __fish_complete_path (commandline -ct)
    else if set -q found[1]
        printf '%%s\\n' $found
    end
end

complete --command %(prog_name)s --no-files --keep-order --arguments "(%(complete_func)s)"
"""


class _Answer(shell_completion.ShellComplete):
    """What the program answers; the words so far are read as Typer does for the shell."""

    def complete(self) -> str:
        args, incomplete = self.get_completion_args()
        context = shell_completion._resolve_context(  # pyright: ignore[reportPrivateUsage]
            self.cli, self.ctx_args, self.prog_name, args
        )
        asked, incomplete = shell_completion._resolve_incomplete(  # pyright: ignore[reportPrivateUsage]
            context, args, incomplete
        )
        found = [item for item in asked.shell_complete(context, incomplete) if item.type == "plain"]
        if not found and getattr(asked, "metavar", None) in PLACES:
            return FILES
        return "\n".join(self.format_completion(item) for item in found)


def _described(value: str, text: str | None, *, between: str) -> str:
    from haulier.cli.words import one_line

    return f"{value}{between}{one_line(text)}" if text else value


class Bash(_Answer, theirs.BashComplete):
    source_template = BASH

    def format_completion(self, item: Any) -> str:
        return str(item.value)


class Zsh(_Answer, theirs.ZshComplete):
    source_template = ZSH

    def format_completion(self, item: Any) -> str:
        value = str(item.value).replace("\\", "\\\\").replace(":", "\\:")
        return _described(value, item.help, between=":")


class Fish(_Answer, theirs.FishComplete):
    source_template = FISH

    def format_completion(self, item: Any) -> str:
        return _described(str(item.value), item.help, between="\t")


SHELLS: dict[str, type[_Answer]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def use_ours() -> None:
    """From now on; making a command of a Typer brings back its own."""
    for name, shell in SHELLS.items():
        shell_completion.add_completion_class(shell, name)
        scripts._completion_scripts[name] = shell.source_template  # pyright: ignore[reportPrivateUsage]
    scripts.install_fish = _install_fish


def _install_fish(*, prog_name: str, complete_var: str, shell: str) -> Path:
    """Where fish looks at its start: it loads `completions/` only for programs that are on PATH."""
    folder = Path.home() / ".config" / "fish"
    path = folder / "conf.d" / f"{prog_name}.fish"
    path.parent.mkdir(parents=True, exist_ok=True)
    script = scripts.get_completion_script(prog_name=prog_name, complete_var=complete_var, shell=shell)
    path.write_text(f"{script}\n")
    (folder / "completions" / f"{prog_name}.fish").unlink(missing_ok=True)  # Typer's, of an earlier version
    return path


def answer_if_named(args: list[str]) -> None:
    """Do what `--show-completion SHELL` or `--install-completion SHELL` asks, and exit.

    Typer ignores the name and takes the shell that it is in.
    """
    if len(args) != 2 or args[0] not in OPTIONS:
        return
    if args[1] not in SHELLS:
        raise typer.BadParameter(f"{args[1]!r} is none of {', '.join(SHELLS)}", param_hint=args[0])
    names = {"prog_name": "haulier", "complete_var": "_HAULIER_COMPLETE", "shell": args[1]}
    if args[0] == "--show-completion":
        sys.stdout.write(f"{scripts.get_completion_script(**names)}\n")
    else:
        shell, path = scripts.install(**names)
        sys.stdout.write(f"Completion for {shell} is in {path}; a new terminal has it.\n")
    raise typer.Exit
