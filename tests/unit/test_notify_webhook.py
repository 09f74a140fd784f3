"""What a webhook's answer means, without a network."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.addresses import NoAddress
from haulier.clock import SYSTEM_CLOCK
from haulier.destinations.webhook_keys import WebhookSecret, fresh_key
from haulier.job import Failure, Request, Status
from haulier.notify import answers
from haulier.notify.message import message_of, outcome_of
from haulier.notify.port import Delivered, GiveUp, Notice, TryAgain
from haulier.notify.webhook import WebhookSender
from haulier.settings import load
from haulier.wire_channels import OutcomeMessage, TrialMessage
from tests.builders import NOW, artefact, job

SETTINGS = load({}, public_url="https://downloads.example.com")
SECRET = msgspec.to_builtins(WebhookSecret("https://example.com/hook", (fresh_key("hmac"),)))


def notice(**fields) -> Notice:
    known = {"id": uuid4(), "event": "test", "at": NOW, "channel_id": uuid4()}
    return Notice(**known | {"secret": SECRET, "job": None} | fields)


class StillClock:
    """It is always NOW."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def sent(answer, told=None):
    """The verdict about what `answer` makes of the request."""

    def handle(request):
        return answer(request) if callable(answer) else answer

    sender = WebhookSender(httpx.MockTransport(handle), settings=SETTINGS, clock=SYSTEM_CLOCK)
    return asyncio.run(sender.send(told or notice()))


@given(st.integers(200, 599))
def test_every_status_has_one_meaning(status):
    verdict = sent(httpx.Response(status))
    kind = Delivered if status < 300 else GiveUp if status == 410 else TryAgain
    assert isinstance(verdict, kind)
    assert verdict.answer == status
    assert not isinstance(verdict, GiveUp) or verdict.disable


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40) | st.integers().map(str))
def test_no_retry_after_makes_it_raise_or_wait_for_less_than_nothing(text):
    verdict = sent(httpx.Response(503, headers=[(b"Retry-After", text.encode("latin-1"))]))
    assert isinstance(verdict, TryAgain)
    assert verdict.after_s is None or verdict.after_s >= 0


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S -0000", "%a %b %e %H:%M:%S %Y"])
def test_a_date_that_names_no_zone_is_utc_wherever_the_worker_is(monkeypatch, zone, form):
    later = (NOW + timedelta(hours=2)).strftime(form)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        answer = httpx.Response(503, headers={"Retry-After": later})
        assert answers.wait_asked_for(answer, clock=StillClock()) == 7_200
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (httpx.ConnectError("refused"), "no connection"),
        (NoAddress("x.invalid"), "its host has no address"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), "its certificate is not valid"),
        (httpx.ReadTimeout("slow"), "no answer within 15 s"),
        (httpx.RemoteProtocolError("nonsense"), "its answer is not valid HTTP"),
        (httpx.ReadError(""), "its answer is not valid HTTP"),
    ],
)
def test_what_breaks_on_the_way_is_tried_again_with_a_reason(error, reason):
    def fail(_):
        raise error

    assert sent(fail) == TryAgain(reason)


def test_an_answer_whose_body_never_ends_has_arrived(monkeypatch):
    monkeypatch.setattr(answers, "BODY_S", 0.05)
    closed = []

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self):
            yield b"x"
            await asyncio.Event().wait()

        async def aclose(self):
            closed.append(True)

    assert sent(httpx.Response(200, stream=Endless())) == Delivered(200)
    assert closed


def test_a_url_that_is_not_allowed_any_more_is_not_asked():
    secret = msgspec.to_builtins(WebhookSecret("http://10.0.0.1/", (fresh_key("hmac"),)))
    assert sent(httpx.Response(200), notice(secret=secret)) == TryAgain(
        "its URL must be an https:// address (HAULIER_CHANNEL_ALLOW_PRIVATE allows others)"
    )


def test_a_message_of_a_completed_job_has_its_facts_and_no_signed_url():
    done = job(status=Status.COMPLETED, version=5, completed_at=NOW, artefact=artefact(), artefact_expires_at=NOW)
    told = message_of(notice(event="job.completed", job=done), settings=SETTINGS)
    data = msgspec.json.decode(told)["data"]
    assert (data["status"], data["version"], data["file_size"], data["file_name"]) == ("completed", 5, 5, "70000.zip")
    assert data["file_url"] == f"https://downloads.example.com/v1/download/file/{done.id}"
    assert data["page_url"] == f"https://downloads.example.com/jobs/{done.id}"
    assert not [name for name in data if name.startswith("download_url")]
    assert msgspec.json.decode(told, type=OutcomeMessage).type == "job.completed"
    assert msgspec.json.decode(message_of(notice(), settings=SETTINGS), type=TrialMessage).type == "test"


def test_an_expired_file_changes_no_message():
    done = job(status=Status.COMPLETED, completed_at=NOW, artefact=artefact(), artefact_expires_at=NOW)
    expired = msgspec.structs.replace(done, artefact_expired=True, updated_at=datetime.now(UTC))
    assert outcome_of(done, settings=SETTINGS) == outcome_of(expired, settings=SETTINGS)


def test_a_message_of_a_failed_archive_has_its_files_and_its_error():
    over = job(
        status=Status.FAILED,
        completed_at=NOW,
        request=Request(file_ids=(70_000, 70_001)),
        error=Failure("source_missing", "None."),
    )
    data = msgspec.to_builtins(outcome_of(over, settings=SETTINGS))
    assert (data["file_id"], data["file_ids"], data["error"]["code"]) == (None, (70_000, 70_001), "source_missing")
    assert "file_url" not in data
