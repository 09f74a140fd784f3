"""What health says of the runner's contact with Redis."""

from haulier.engine.contact import STARTING, STOPPED, Contact
from tests.clocks import HandClock


def test_before_the_first_answer_it_does_not_run():
    assert Contact(HandClock()).state.running is False
    assert Contact(HandClock()).state.error == STARTING


def test_since_is_the_time_of_the_change_and_not_of_the_last_call():
    clock = HandClock()
    contact = Contact(clock)
    contact.well()
    changed_at = clock.now()
    clock.passed_s = 60
    contact.well()
    assert contact.state.running is True
    assert contact.state.since == changed_at


def test_an_outage_keeps_its_beginning_and_tells_its_latest_error():
    clock = HandClock()
    contact = Contact(clock)
    contact.well()
    clock.passed_s = 10
    contact.failed(ConnectionError("connection refused"))
    began_at = clock.now()
    clock.passed_s = 20
    contact.failed(TimeoutError("no answer"))
    assert contact.state.since == began_at
    assert contact.state.error == "TimeoutError: no answer"


def test_the_first_answer_ends_an_outage():
    contact = Contact(HandClock())
    contact.failed(ConnectionError("connection refused"))
    contact.well()
    assert (contact.state.running, contact.state.error) == (True, "")


def test_a_stopped_runner_stays_stopped():
    contact = Contact(HandClock())
    contact.stopped()
    contact.well()
    contact.failed(ConnectionError("connection refused"))
    assert (contact.state.running, contact.state.error) == (False, STOPPED)


def test_silence_is_measured_from_the_last_sign():
    clock = HandClock()
    contact = Contact(clock)
    clock.passed_s = 5
    contact.sign()
    clock.passed_s = 12
    assert contact.silent_s == 7
