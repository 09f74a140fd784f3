"""What people are told, in their language: the same few lines for e-mail, push and all else. Pure."""

import re
from datetime import UTC, datetime
from unicodedata import bidirectional

from haulier.job import Job
from haulier.notify.port import Notice
from haulier.notify.words import ENGLISH, Words
from haulier.notify.words_de import GERMAN
from haulier.wire_channel_kinds import LANGUAGES

NAME_LENGTH = 120
REASON_LENGTH = 300  # a push holds less than 4 KB
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+")
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"


def words(language: str) -> Words:
    """The sentences of `language`; English for one that we do not speak."""
    return GERMAN if language == "de" else ENGLISH


def language_of(notice: Notice) -> str:
    """The language that the channel was given."""
    chosen = notice.secret.get("language")
    return chosen if chosen in LANGUAGES else "en"


def event_of(notice: Notice) -> str:
    """What happened, as people are told: a file that is gone is not offered."""
    return "job.expired" if notice.is_late and notice.event == "job.completed" else notice.event


def title(notice: Notice) -> str:
    """One line that says what happened to what. A name that runs from right to left turns only itself."""
    said = words(language_of(notice))
    name = file_name(notice.job, said) if notice.job else ""
    return said.title.get(event_of(notice), notice.event).replace("{name}", _isolated(name))


def body(notice: Notice) -> list[str]:
    """The sentences below the title, the link not among them."""
    said, job = words(language_of(notice)), notice.job
    sentences = [said.lead.get(event_of(notice), notice.event)]
    if job and event_of(notice) == "job.completed" and job.artefact_expires_at:
        sentences.append(said.kept_until.format(moment=moment(job.artefact_expires_at, said)))
    if job and notice.event == "job.failed" and job.error:
        sentences.append(said.reason.replace("{reason}", _cut(seen(job.error.message))))
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


def _cut(text: str) -> str:
    return text if len(text) <= REASON_LENGTH else f"{text[: REASON_LENGTH - 1]}…"


def _shortened(name: str) -> str:
    """The name's beginning and its end, where the extension is."""
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 21]}…{name[-20:]}"
