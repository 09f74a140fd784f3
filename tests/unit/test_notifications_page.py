"""docs/notifications.md says what the code does."""

import re
from pathlib import Path

from haulier.api.offering import LANGUAGES as OFFERED
from haulier.apprise_urls import HOSTED
from haulier.ledger.confirming import CODE_LIFE, CODES_OF_USER, CODES_TO_ADDRESS
from haulier.notify.push import PushMessage
from haulier.notify.wording import LANGUAGES
from haulier.notify.words import ENGLISH
from haulier.notify.words_de import GERMAN

PAGE = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()


def test_the_service_worker_reads_what_is_sent():
    read = re.search(r"const \{ (.*) \} = event\.data\.json\(\)", PAGE)[1].split(", ")
    assert set(read) == set(PushMessage.__struct_fields__)


def test_the_services_and_limits_are_those_of_the_code():
    assert all(hosted.title in PAGE for hosted in HOSTED.values())
    assert f"good for {CODE_LIFE.total_seconds() / 60:.0f} minutes and five tries" in PAGE
    assert (CODES_OF_USER, CODES_TO_ADDRESS) == (10, 3)


def test_every_language_has_every_sentence_and_is_offered():
    assert OFFERED == LANGUAGES
    for event in ENGLISH.title:
        assert ("{name}" in ENGLISH.title[event]) == ("{name}" in GERMAN.title[event])
    assert ENGLISH.lead.keys() == GERMAN.lead.keys()
    assert ENGLISH.button.keys() == GERMAN.button.keys()
    assert len(GERMAN.months) == 12
