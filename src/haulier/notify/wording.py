"""What people are told, in their language: the same few sentences for e-mail, push and all else. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, get_args
from unicodedata import bidirectional

import msgspec

from haulier.job import Job
from haulier.notify.port import Notice

Language = Literal["en", "de"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

NAME_LENGTH = 120
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+")
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The sentences of one language. `{name}` is the file's; keys of the mappings are events."""

    title: Mapping[str, str]
    lead: Mapping[str, str]
    one_file: str
    files: str
    button: Mapping[str, str]
    kept_until: str
    reason: str
    moment: str
    months: tuple[str, ...]
    code: str
    code_ends: str
    not_you: str
    why: str
    stop: str


_ENGLISH = Words(
    title={
        "job.completed": "Your download is ready: {name}",
        "job.failed": "Your download failed: {name}",
        "job.cancelled": "Your download was cancelled: {name}",
        "test": "A test of your notifications",
        "confirm": "Confirm your e-mail address",
    },
    lead={
        "job.completed": "The file that you asked for is ready to be downloaded.",
        "job.failed": "The file that you asked for could not be prepared.",
        "job.cancelled": "The download was cancelled. If that was not you, look at it on its page.",
        "test": "This is a test. Notifications of your downloads will reach you here.",
        "confirm": "Somebody, most likely you, wants to be told here when downloads are ready.",
    },
    one_file="file {id}",
    files="{count} files",
    button={"job.completed": "Download", "job.failed": "See what happened", "job.cancelled": "Look at it"},
    kept_until="It is kept until {moment}.",
    reason="What went wrong: {reason}",
    moment="{day} {month} {year}, {time} UTC",
    months=(
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
    code="The code that confirms it:",
    code_ends="The code is good for {minutes} minutes.",
    not_you="If it was not you, do nothing: you will get no more e-mails.",
    why="You get this e-mail because you asked to be told of your downloads.",
    stop="No more of these e-mails",
)

_GERMAN = Words(
    title={
        "job.completed": "Ihr Download ist bereit: {name}",
        "job.failed": "Ihr Download ist fehlgeschlagen: {name}",
        "job.cancelled": "Ihr Download wurde abgebrochen: {name}",
        "test": "Ein Test Ihrer Benachrichtigungen",
        "confirm": "Bestätigen Sie Ihre E-Mail-Adresse",
    },
    lead={
        "job.completed": "Die angeforderte Datei kann heruntergeladen werden.",
        "job.failed": "Die angeforderte Datei konnte nicht erstellt werden.",
        "job.cancelled": "Der Download wurde abgebrochen. Wenn Sie das nicht waren, sehen Sie auf seiner Seite nach.",
        "test": "Das ist ein Test. Benachrichtigungen zu Ihren Downloads erreichen Sie hier.",
        "confirm": "Jemand, vermutlich Sie, möchte hier erfahren, wann Downloads bereit sind.",
    },
    one_file="Datei {id}",
    files="{count} Dateien",
    button={"job.completed": "Herunterladen", "job.failed": "Was ist passiert?", "job.cancelled": "Ansehen"},
    kept_until="Sie wird bis zum {moment} aufbewahrt.",
    reason="Der Grund: {reason}",
    moment="{day}. {month} {year}, {time} Uhr (UTC)",
    months=(
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ),
    code="Der Code zur Bestätigung:",
    code_ends="Der Code gilt {minutes} Minuten.",
    not_you="Wenn Sie das nicht waren, tun Sie nichts: Sie erhalten keine weiteren E-Mails.",
    why="Sie erhalten diese E-Mail, weil Sie zu Ihren Downloads benachrichtigt werden wollten.",
    stop="Keine weiteren E-Mails dieser Art",
)


def words(language: str) -> Words:
    """The sentences of `language`; English for one that we do not speak."""
    return _GERMAN if language == "de" else _ENGLISH


def language_of(notice: Notice) -> str:
    """The language that the channel was given."""
    chosen = notice.secret.get("language")
    return chosen if chosen in LANGUAGES else "en"


def title(notice: Notice) -> str:
    """One line that says what happened to what. A name that runs from right to left turns only itself."""
    said = words(language_of(notice))
    name = file_name(notice.job, said) if notice.job else ""
    return said.title.get(notice.event, notice.event).replace("{name}", _isolated(name))


def body(notice: Notice) -> list[str]:
    """The sentences below the title, the link not among them."""
    said, job = words(language_of(notice)), notice.job
    sentences = [said.lead.get(notice.event, notice.event)]
    if job and notice.event == "job.completed" and job.artefact_expires_at:
        sentences.append(said.kept_until.format(moment=moment(job.artefact_expires_at, said)))
    if job and notice.event == "job.failed" and job.error:
        sentences.append(said.reason.replace("{reason}", seen(job.error.message)))
    return sentences


def file_name(job: Job, said: Words) -> str:
    """What the job's file is called, at most NAME_LENGTH characters without anything that cannot be seen."""
    if job.artefact:
        name = seen(job.artefact.file_name)
        if name:
            return _shortened(name)
    if job.request.file_ids:
        return said.files.format(count=len(job.request.file_ids))
    return said.one_file.format(id=job.request.file_id)


def seen(text: str) -> str:
    """`text` on one line, without control characters and without those that turn the direction of what follows.

    `=?` is taken apart: the standard library decodes what looks like an encoded word in a header, line ends included.
    """
    return " ".join(_UNSEEN.sub(" ", text).replace("=?", "= ?").split())


def moment(at: datetime, said: Words) -> str:
    """A moment in words, to the minute."""
    at = at.astimezone(UTC)
    return said.moment.format(day=at.day, month=said.months[at.month - 1], year=at.year, time=f"{at:%H:%M}")


def _isolated(name: str) -> str:
    if any(bidirectional(character) in ("R", "AL", "AN") for character in name):
        return f"{_ISOLATE}{name}{_END_ISOLATE}"
    return name


def _shortened(name: str) -> str:
    """The name's beginning and its end, where the extension is."""
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 21]}…{name[-20:]}"
