"""Letters: an e-mail of a notice, as text and as HTML. Pure; the only link to a file is that of its job's page."""

from collections.abc import Callable
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, parseaddr
from functools import cache
from html import escape
from importlib import resources
from string import Template
from uuid import UUID

import msgspec

from haulier.ledger import CODE_LIFE
from haulier.notify import wording
from haulier.notify.port import Notice


class _Policy(EmailPolicy):
    """Does not fold links: the standard policy makes encoded words of long ones, and no program reads those."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name == "List-Unsubscribe":
            return f"{name}: {value}\r\n".encode("ascii")
        return super().fold_binary(name, value)


_POLICY = _Policy(linesep=SMTP.linesep)


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """What all letters have in common: who writes them, and where their links lead.

    `job_page` is the page of a job; `stop_page` switches off a channel that keeps this value (stop_tokens.py), for
    people and for mail programs (RFC 8058).
    """

    sender: str
    job_page: Callable[[UUID], str]
    stop_page: Callable[[UUID, str], str]

    @property
    def domain(self) -> str:
        """Where message ids are ours."""
        return parseaddr(self.sender)[1].rpartition("@")[2]


def letter(notice: Notice, *, to: str, desk: Desk, now: datetime) -> EmailMessage:
    """The e-mail. All attempts of a notice have the same Message-ID."""
    title = wording.title(notice)
    message = EmailMessage(policy=_POLICY)
    name, address = parseaddr(desk.sender)
    message["From"] = Address(display_name=name, addr_spec=address)
    message["To"] = Address(addr_spec=to)
    message["Subject"] = title
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{notice.id}@{desk.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message["List-Unsubscribe"] = f"<{_stop_page(notice, desk)}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(_text(notice, title, desk), cte="quoted-printable")
    message.add_alternative(_html(notice, title, desk), subtype="html", cte="quoted-printable")
    return message


def _sentences(notice: Notice) -> list[str]:
    said = wording.words(wording.language_of(notice))
    if notice.event == "confirm":
        return [*wording.body(notice), said.code_ends.format(minutes=CODE_LIFE // timedelta(minutes=1)), said.not_you]
    return wording.body(notice)


def _text(notice: Notice, title: str, desk: Desk) -> str:
    said = wording.words(wording.language_of(notice))
    blocks = [title, *_sentences(notice)]
    if notice.event == "confirm":
        blocks[2:2] = [said.code, f"    {notice.secret['code']}"]
    if notice.job:
        blocks.append(f"{said.button[wording.event_of(notice)]}:\n{desk.job_page(notice.job.id)}")
    why = "" if notice.event == "confirm" else f"{said.why}\n"
    blocks.append(f"-- \n{why}{said.stop}: {_stop_page(notice, desk)}")
    return "\n\n".join(blocks) + "\n"


def _html(notice: Notice, title: str, desk: Desk) -> str:
    language = wording.language_of(notice)
    said = wording.words(language)
    paragraphs = [f"<p>{escape(sentence)}</p>" for sentence in _sentences(notice)]
    if notice.event == "confirm":
        code = escape(notice.secret["code"])
        paragraphs[1:1] = [f"<p>{said.code}</p>", f'<p style="font-size:28px;letter-spacing:4px">{code}</p>']
    action = _button(desk.job_page(notice.job.id), said.button[wording.event_of(notice)]) if notice.job else ""
    why = "" if notice.event == "confirm" else f"{escape(said.why)} "
    stop = escape(_stop_page(notice, desk), quote=True)
    footer = f'{why}<a href="{stop}" style="color:#767676">{escape(said.stop)}</a>'
    return _template().substitute(
        language=language, title=escape(title), paragraphs="\n".join(paragraphs), action=action, footer=footer
    )


def _stop_page(notice: Notice, desk: Desk) -> str:
    return desk.stop_page(notice.channel_id, notice.secret.get("stop", ""))


def _button(url: str, label: str) -> str:
    style = (
        "display:inline-block;padding:10px 20px;border-radius:6px;background:#1d4ed8;color:#ffffff;text-decoration:none"
    )
    return f'<p style="margin:24px 0"><a href="{escape(url, quote=True)}" style="{style}">{escape(label)}</a></p>'


@cache
def _template() -> Template:
    return Template(resources.files("haulier.notify").joinpath("templates", "letter.html").read_text("utf-8"))
