"""The sentences that people are told, and those of English. Those of each other language are a module of their own."""

from collections.abc import Mapping

import msgspec


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The sentences of one language. `{name}` is the file's.

    Keys of the mappings are events; `job.expired` is a completed job whose file is gone when it is told at last.
    """

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


ENGLISH = Words(
    title={
        "job.completed": "Your download is ready: {name}",
        "job.expired": "Your download was ready: {name}",
        "job.failed": "Your download failed: {name}",
        "job.cancelled": "Your download was cancelled: {name}",
        "test": "A test of your notifications",
        "confirm": "Confirm your e-mail address",
    },
    lead={
        "job.completed": "The file that you asked for is ready to be downloaded.",
        "job.expired": "The file that you asked for was ready, but it is not kept any more. Start the download again.",
        "job.failed": "The file that you asked for could not be prepared.",
        "job.cancelled": "The download was cancelled. If that was not you, look at it on its page.",
        "test": "This is a test. Notifications of your downloads will reach you here.",
        "confirm": "Somebody, most likely you, wants to be told here when downloads are ready.",
    },
    one_file="file {id}",
    files="{count} files",
    button={
        "job.completed": "Download",
        "job.expired": "Look at it",
        "job.failed": "See what happened",
        "job.cancelled": "Look at it",
    },
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
