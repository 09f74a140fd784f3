import re
from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.job import Failure, Request, Status
from haulier.notify import wording
from haulier.notify.letters import letter
from tests.builders import NOW, artefact, job
from tests.notices import completed_job, desk, notice, page


def read(told, **fields):
    """The letter as its reader's program sees it: written to bytes and read again."""
    return message_from_bytes(
        letter(told, to="anna@example.org", desk=desk(**fields), now=NOW).as_bytes(), policy=default
    )


def text_of(mail):
    return mail.get_body(("plain",)).get_content()


def html_of(mail):
    return mail.get_body(("html",)).get_content()


def test_a_letter_says_what_is_ready_and_where_in_text_and_in_html():
    told = notice()
    mail = read(told)
    assert mail.get_content_type() == "multipart/alternative"
    assert mail["Subject"] == "Your download is ready: photos.zip"
    assert mail["Date"].datetime == NOW.replace(microsecond=0)
    for body in (text_of(mail), html_of(mail)):
        assert page(told.job.id) in body
        assert "photos.zip" in body
        assert "23 November 2026, 10:00 UTC" in body


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("event", ["job.completed", "job.failed", "job.cancelled", "test"])
def test_no_link_leads_to_a_file_only_to_the_jobs_page_and_to_where_letters_are_stopped(event, language):
    told = notice(
        event=event, secret={"address": "a@b.c", "language": language}, **{"job": None} if event == "test" else {}
    )
    pages = {page(told.job.id)} if told.job else set()
    mail = read(told)
    for body in (text_of(mail), html_of(mail)):
        assert set(re.findall(r"\w+://[^\s\"<>]+", body)) == {*pages, desk().stop_page(told.channel_id, "")}
        assert "download_url" not in body


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_late_letter_offers_no_file_that_is_gone(language):
    said = wording.words(language)
    mail = read(notice(is_late=True, secret={"address": "a@b.c", "language": language}))
    assert mail["Subject"] == said.title["job.expired"].format(name="photos.zip")
    for body in (text_of(mail), html_of(mail)):
        assert said.lead["job.expired"] in body
        assert said.button["job.expired"] in body
        assert said.lead["job.completed"] not in body
        assert "2026" not in body


def test_a_german_letter_is_german_throughout():
    mail = read(notice(secret={"address": "a@b.c", "language": "de"}))
    assert mail["Subject"].startswith("Ihr Download")
    assert "23. November 2026, 10:00 Uhr (UTC)" in text_of(mail)
    assert '<html lang="de">' in html_of(mail)
    assert "download is" not in text_of(mail)


@pytest.mark.parametrize(
    "name",
    ["a\r\nBcc: x@evil.example.zip", "a\nSubject: b", "a\x00\x0b\x85\u2028b", "\ud800x.zip", "=?utf-8?q?=0ABcc:_x?="],
)
def test_a_file_name_injects_no_header(name):
    told = notice(job=completed_job(artefact=artefact(file_name=name)))
    raw = letter(told, to="anna@example.org", desk=desk(), now=NOW).as_bytes()
    mail = message_from_bytes(raw, policy=default)
    assert mail["Bcc"] is None
    assert len(mail.get_all("Subject", [])) == 1
    assert b"\nBcc" not in raw


@given(st.text(st.sampled_from('=?utf-8qb_AAog==\r\n\t :"<>,\u2028\x85é') | st.characters(), max_size=60))
def test_no_file_name_makes_another_header(name):
    plain = read(notice()).keys()
    mail = read(notice(job=completed_job(artefact=artefact(file_name=name))))
    assert mail.keys() == plain
    assert mail["To"] == "anna@example.org"


def test_a_file_name_is_no_html():
    mail = read(notice(job=completed_job(artefact=artefact(file_name='<img src=x onerror="alert(1)">&.zip'))))
    assert "<img" not in html_of(mail)
    assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;.zip" in html_of(mail)
    assert '<img src=x onerror="alert(1)">&.zip' in text_of(mail)


@pytest.mark.parametrize(
    ("name", "told"), [("photos\u202egpj.exe\u2066", "photos gpj.exe"), ("שלום.zip", "\u2068שלום.zip\u2069")]
)
def test_a_name_that_turns_direction_turns_only_itself(name, told):
    mail = read(notice(job=completed_job(artefact=artefact(file_name=name))))
    assert mail["Subject"] == f"Your download is ready: {told}"


def test_a_long_name_keeps_its_ending_and_its_lines_their_length():
    told = notice(job=completed_job(artefact=artefact(file_name="שלום " * 300 + "photos.zip")))
    mail = read(told)
    assert len(mail["Subject"]) < 160
    assert mail["Subject"].endswith("photos.zip\u2069")
    raw = letter(told, to="anna@example.org", desk=desk(), now=NOW).as_bytes()
    assert max(map(len, raw.split(b"\r\n"))) < 200


def test_every_attempt_has_the_same_message_id_and_every_notice_another():
    told, other = notice(), notice()
    assert read(told)["Message-ID"] == f"<{told.id}@haulier.example>" == read(told)["Message-ID"]
    assert read(other)["Message-ID"] != read(told)["Message-ID"]


def test_a_letter_says_that_a_machine_wrote_it_and_how_to_stop_it_in_one_line():
    told = notice()
    raw = letter(told, to="anna@example.org", desk=desk(stop_page=lambda *_: f"https://h.example/{'x' * 150}"), now=NOW)
    mail = message_from_bytes(raw.as_bytes(), policy=default)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] == f"<https://h.example/{'x' * 150}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"unsubscribe?token={told.channel_id}" in text_of(read(told))


def test_a_failed_job_says_why_and_several_files_are_counted():
    failed = job(
        status=Status.FAILED,
        request=Request(file_ids=(70_000, 70_001)),
        error=Failure("source_missing", "What the file is made from does not exist: <x>."),
        completed_at=NOW,
    )
    mail = read(notice(event="job.failed", job=failed))
    assert mail["Subject"] == "Your download failed: 2 files"
    assert "What went wrong: What the file is made from does not exist: <x>." in text_of(mail)
    assert "does not exist: &lt;x&gt;." in html_of(mail)


def test_a_code_comes_with_the_link_that_stops_them_and_no_other():
    told = notice(event="confirm", job=None, secret={"address": "a@b.c", "code": "123456", "stop": "x"})
    mail = read(told, stop_page=lambda _, value: f"https://h.example/{value}")
    assert "123456" in text_of(mail)
    assert "123456" in html_of(mail)
    for body in (text_of(mail), html_of(mail)):
        assert (body.count("https://h.example/x"), body.count("http")) == (1, 1)
        assert "because you asked" not in body
    assert mail["List-Unsubscribe"] == "<https://h.example/x>"


def test_a_cancelled_job_and_a_test_are_told_too():
    assert read(notice(event="job.cancelled", job=job()))["Subject"] == "Your download was cancelled: file 70000"
    assert "This is a test" in text_of(read(notice(event="test", job=None)))


def test_the_date_is_the_clocks():
    mail = message_from_bytes(
        letter(notice(), to="a@b.c", desk=desk(), now=NOW + timedelta(hours=1)).as_bytes(), policy=default
    )
    assert mail["Date"].datetime == NOW + timedelta(hours=1)
