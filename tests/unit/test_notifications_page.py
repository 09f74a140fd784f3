"""docs/notifications.md says what the code does."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from haulier.destinations.apprise_urls import HOSTED
from haulier.ledger.codes import CODE_LIFE, CODES_OF_USER, CODES_TO_ADDRESS
from haulier.notify.push import PushMessage, message_of
from haulier.notify.wording import words
from haulier.notify.words import ENGLISH
from haulier.notify.words_de import GERMAN
from haulier.settings import load
from haulier.wire_channel_kinds import LANGUAGES
from tests.notices import notice, page

PAGE = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()


def test_the_service_worker_reads_what_is_sent():
    read = re.search(r"const \{ (.*) \} = event\.data\.json\(\)", PAGE)[1].split(", ")
    assert set(read) == set(PushMessage.__struct_fields__)


WORKER = """
const on = {}, shown = [], opened = [];
const self = {
  addEventListener: (name, handler) => (on[name] = handler),
  registration: { showNotification: (title, options) => shown.push({ title, ...options }) },
};
const clients = { openWindow: (url) => opened.push(url) };
%s
on.push({ data: { json: () => JSON.parse(process.argv[1]) }, waitUntil: () => {} });
on.notificationclick({ notification: { close: () => {}, data: shown[0].data }, waitUntil: () => {} });
console.log(JSON.stringify({ shown, opened }));
"""


@pytest.mark.node
def test_the_service_worker_shows_what_is_sent_and_opens_the_jobs_page():
    told = notice()
    script = re.search(r"```js\n// worker\.js\n(.*?)```", PAGE, re.DOTALL)[1]
    message = message_of(told, settings=load({}, public_url="https://haulier.example"))
    done = subprocess.run(["node", "-e", WORKER % script, message], capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert seen["opened"] == [page(told.job.id)]
    (shown,) = seen["shown"]
    assert (shown["title"], shown["lang"]) == ("Your download is ready: photos.zip", "en")
    assert shown["tag"] == f"haulier-{told.job.id}"


VISIT = """
const api = "", token = "t", asked = [];
const subscribed = { toJSON: () => ({ endpoint: "https://push.example/1" }) };
const registered = { pushManager: { subscribe: async () => subscribed } };
async function visit(status) {
  const navigator = { serviceWorker: { register: async () => registered } };
  const fetch = async (url, options) => {
    asked.push([url, options?.body]);
    const answer = url.endsWith("push-key") ? { public_key: "k" } : { detail: `refused with ${status}` };
    return { ok: status < 400, status, json: async () => answer };
  };
  %s
}
(async () => {
  const refused = [];
  for (const status of [201, 201, 409, 400]) await visit(status).catch((error) => refused.push(error.message));
  console.log(JSON.stringify({ asked, refused }));
})();
"""


@pytest.mark.node
def test_the_page_can_hand_its_browser_over_at_each_visit():
    script = re.search(r"```js\n(const \{ public_key.*?)```", PAGE, re.DOTALL)[1]
    done = subprocess.run(["node", "-e", VISIT % script], capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    wanted = json.loads(seen["asked"][1][1])
    assert wanted == {"kind": "push", "subscription": {"endpoint": "https://push.example/1"}, "language": "en"}
    assert seen["refused"] == ["refused with 400"]


def test_the_services_and_limits_are_those_of_the_code():
    assert all(hosted.title in PAGE for hosted in HOSTED.values())
    assert f"good for {CODE_LIFE.total_seconds() / 60:.0f} minutes and five tries" in PAGE
    assert (CODES_OF_USER, CODES_TO_ADDRESS) == (10, 3)


def test_every_language_has_every_sentence_and_is_offered():
    assert [words(language) for language in LANGUAGES] == [ENGLISH, GERMAN]
    for event in ENGLISH.title:
        assert ("{name}" in ENGLISH.title[event]) == ("{name}" in GERMAN.title[event])
    assert ENGLISH.lead.keys() == GERMAN.lead.keys()
    assert ENGLISH.button.keys() == GERMAN.button.keys()
    assert len(GERMAN.months) == 12
