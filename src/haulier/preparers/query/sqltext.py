"""`:name` placeholders in a rule's SQL, turned into PostgreSQL's `$1`, `$2`, …: values are bound, never written in."""

import re
from collections.abc import Mapping

import msgspec

# Order matters: what may hold a colon without meaning a parameter comes first.
_TOKEN = re.compile(
    r"""
    (?P<escaped> [eE] ' (?: [^'\\] | \\. | '' )* ' )
  | (?P<word> [^\W\d] [\w$]* )
  | (?P<string> ' [^']* ' )
  | (?P<quoted> " [^"]* " )
  | (?P<dollar> \$ (?P<tag> (?: [^\W\d] \w* )? ) \$ .*? \$ (?P=tag) \$ )
  | (?P<position> \$ \d+ )
  | (?P<line> -- [^\n]* )
  | (?P<block> /\* )
  | (?P<cast> :: )
  | : (?P<name> [^\W\d] \w* )
    """,
    re.VERBOSE | re.DOTALL,
)


class Bound(msgspec.Struct, frozen=True):
    """SQL with `$1` for the first of `names`, `$2` for the second and so on."""

    sql: str
    names: tuple[str, ...]


def bound(sql: str, types: Mapping[str, str]) -> Bound:
    """`sql` with each `:name` as a typed `$n`; `types` says the SQL type of each name that may occur.

    Strings, quoted identifiers, dollar quotes, comments and casts (`::`) stay as they are. A semicolon at the end is
    dropped. Raises ValueError with a sentence for the rule's author.
    """
    names: list[str] = []
    pieces: list[str] = []
    at = 0
    for start, end, name in _placeholders(sql):
        if name not in types:
            raise ValueError(f"`sql` uses :{name}, which is not among its parameters ({', '.join(sorted(types))})")
        if name not in names:
            names.append(name)
        pieces += [sql[at:start], f"(${names.index(name) + 1}::{types[name]})"]
        at = end
    pieces.append(sql[at:])
    return Bound("".join(pieces).rstrip().removesuffix(";"), tuple(names))


def _placeholders(sql: str) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    at = 0
    while match := _TOKEN.search(sql, at):
        at = match.end()
        if match.lastgroup == "position":
            raise ValueError(f"`sql` uses {match[0]}; write parameters as :name")
        if match.lastgroup == "block":
            at = _after_comment(sql, at)
        elif match.lastgroup == "name":
            found.append((match.start(), match.end(), match["name"]))
    return found


def _after_comment(sql: str, at: int) -> int:
    """The place behind a block comment that began before `at`; they nest."""
    depth = 1
    while depth and (match := re.compile(r"/\*|\*/").search(sql, at)):
        depth += 1 if match[0] == "/*" else -1
        at = match.end()
    return len(sql) if depth else at
