"""The WebSocket on a real server: who may open it, and what its subscriptions tell."""

import msgspec
import pytest

from haulier.errors import LedgerUnavailable
from haulier.job import Progress
from haulier.ledger import Beat
from tests.integration.api_steps import completed, processing
from tests.integration.ledger_steps import LEASE
from tests.serving import serving
from tests.sockets import opened, refused, socket
from tests.waiting import eventually

NO_JOB = "01a20a69-ad5e-771b-b947-0f7ebd7b7c44"
PAGE = "https://app.example"


@pytest.fixture
async def server(settings):
    async with serving(msgspec.structs.replace(settings, allowed_origins=PAGE)) as api:
        yield api


async def moved(api, attempt, *, percent):
    """A change that this process announces: progress of a running job."""
    changes = await api.services.ledger.attempts.beat([Beat(attempt, Progress("x", 1, 10, percent))], lease=LEASE)
    job = changes[attempt.job.id]
    api.services.snapshots.announce(job)
    return job


async def known_for_good(api):
    """A job of which the server says what it will say: once it knows of no workers, the job waits for them."""
    job_id = await api.initiate()
    await api.services.estimator.refresh()
    return job_id


# ---- opening


async def test_a_header_opens_it(server):
    async with socket(server) as ws:
        assert await ws.silent()


async def test_a_ticket_opens_it_once_on_any_replica(server, settings):
    ticket = (await server.post("/v1/tickets")).json()["ticket"]
    async with serving(settings) as replica:
        async with opened(replica, query=f"?ticket={ticket}") as ws:
            assert await ws.hear() == {"type": "ready"}
        assert (await refused(server, query=f"?ticket={ticket}")).code == "unauthenticated"


@pytest.mark.parametrize("name", ["token", "access_token", "authorization", "bearer"])
async def test_a_token_in_the_url_opens_nothing(server, name, monkeypatch):
    monkeypatch.setattr("haulier.api.live.websocket.AUTH_WITHIN_S", 0.05)
    query = f"?{name}={server.token('anna')}"
    async with opened(server, query=query) as ws:  # as without it: the first message has to say who connects
        assert await ws.closed() == 4401
    assert (await server.http.get(f"/v1/download/events{query}")).status_code == 401


async def test_a_token_is_no_ticket(server):
    assert (await refused(server, query=f"?ticket={server.token('anna')}")).code == "unauthenticated"


async def test_its_first_message_opens_it(server):
    async with opened(server) as ws:
        await ws.say("auth", token=server.token("anna"))
        assert await ws.hear() == {"type": "ready"}


async def test_a_bad_token_is_refused_before_the_handshake(server, caplog):
    problem = await refused(server, additional_headers={"Authorization": "Bearer a.b.c"})
    assert (problem.status, problem.code, problem.instance) == (401, "unauthenticated", "/ws")
    await eventually(lambda: len(server.protocols) <= 1)
    assert not [each for each in caplog.records if each.name.startswith("uvicorn")]


@pytest.mark.parametrize("first", ['{"type":"auth","token":"a.b.c"}', '{"type":"subscribe","all":true}', "{", b"{}"])
async def test_a_first_message_without_a_valid_token_closes_it(server, first):
    async with opened(server) as ws:
        await ws.connection.send(first)
        assert await ws.error() == "unauthenticated"
        assert await ws.closed() == 4401


async def test_who_says_nothing_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr("haulier.api.live.websocket.AUTH_WITHIN_S", 0.05)
    async with opened(server) as ws:
        assert await ws.closed() == 4401


async def test_a_head_beyond_what_the_parser_takes_is_answered(server):
    with pytest.raises(Exception, match="431"):
        async with opened(server, additional_headers={"Authorization": "Bearer " + "a" * 9_000}):
            pass


@pytest.mark.parametrize("origin", [PAGE, "own"])
async def test_pages_of_ours_and_of_allowed_origins_may_open_it(server, origin):
    bearer = {"Authorization": f"Bearer {server.token('anna')}"}
    async with opened(server, origin=server.url if origin == "own" else origin, additional_headers=bearer) as ws:
        assert await ws.hear() == {"type": "ready"}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "https://app.example.evil"])
async def test_other_pages_may_not(server, origin):
    bearer = {"Authorization": f"Bearer {server.token('anna')}"}
    problem = await refused(server, origin=origin, additional_headers=bearer)
    assert (problem.status, problem.code) == (403, "origin_not_allowed")


async def test_too_many_connections_of_a_user_are_refused(settings):
    async with serving(msgspec.structs.replace(settings, live_connections_user=1)) as api, socket(api):
        bearer = {"Authorization": f"Bearer {api.token('anna')}"}
        assert (await refused(api, additional_headers=bearer)).code == "too_many_streams"
        async with opened(api) as late:  # too late for an HTTP answer
            await late.say("auth", token=api.token("anna"))
            assert await late.error() == "too_many_streams"
            assert await late.closed() == 4429
        async with socket(api, user="root", role="admin"), socket(api, user="root", role="admin"):
            pass


async def test_without_an_upgrade_it_says_what_is_missing(server):
    answer = await server.call("GET", "/ws")
    assert (answer.status_code, answer.json()["code"]) == (426, "upgrade_required")
    assert answer.headers["upgrade"] == "websocket"


async def test_at_other_paths_there_is_none(server):
    assert (await refused(server, query="/nix")).code == "not_found"


# ---- following


async def test_a_job_is_told_now_and_at_each_change_until_its_end(server):
    job_id = await known_for_good(server)
    async with socket(server) as ws:
        (snapshot,) = await ws.follow(job_id)
        assert snapshot == {"type": "status", **(await server.status(job_id)).json()}
        await completed(server.services, job_id)
        told = [snapshot]
        while told[-1]["status"] != "completed":
            told.append(await ws.hear())
        assert [each["version"] for each in told] == sorted({each["version"] for each in told})
        assert told[-1]["download_url"]
        assert not server.services.feeds.by_job  # a subscription ends with its job


async def test_subscribing_again_tells_again(server):
    job_id = await known_for_good(server)
    async with socket(server) as ws:
        assert await ws.follow(job_id) == await ws.follow(job_id)
        await ws.say("unsubscribe", job_id=job_id)
        assert await ws.hear() == {"type": "unsubscribed", "job_id": job_id}
        await completed(server.services, job_id)
        assert await ws.silent()


async def test_a_job_that_is_over_is_told_once(server):
    job_id = await server.initiate()
    await completed(server.services, job_id)
    async with socket(server) as ws:
        (snapshot,) = await ws.follow(job_id)
        assert snapshot["status"] == "completed"
        assert not server.services.feeds.by_job


async def test_all_jobs_are_told_new_ones_included_and_nobody_elses(server):
    first = await server.initiate(70_000)
    await server.initiate(70_000, user="bob")
    async with socket(server) as ws:
        assert [each["job_id"] for each in await ws.follow()] == [first]
        await server.initiate(70_001, user="bob")
        second = await server.initiate(70_001)
        assert (await ws.hear())["job_id"] == second
        await ws.say("unsubscribe", all=True)
        assert (await ws.hear_until("unsubscribed"))[-1] == {"type": "unsubscribed", "all": True}
        await processing(server.services, second)
        assert await ws.silent()


async def test_without_the_ledger_a_subscription_is_refused_and_can_be_asked_for_again(server, monkeypatch):
    changes = server.services.ledger.changes

    async def away(*_, **__):
        raise LedgerUnavailable

    async with socket(server) as ws:
        with monkeypatch.context() as patched:
            patched.setattr(changes, "alive", away)
            await ws.say("subscribe", all=True)
            assert await ws.error() == "ledger_unavailable"
        assert not server.services.feeds.by_user
        assert await ws.follow() == []


async def test_a_job_followed_by_itself_stays_when_all_are_left(server):
    job_id = await server.initiate()
    async with socket(server) as ws:
        await ws.follow()
        await ws.follow(job_id)
        await ws.say("unsubscribe", all=True)
        await ws.hear_until("unsubscribed")
        await processing(server.services, job_id)
        assert (await ws.hear())["status"] == "processing"


@pytest.mark.parametrize("job_id", [NO_JOB, "nix", ""])
async def test_unknown_jobs_are_not_found(server, job_id):
    async with socket(server) as ws:
        await ws.say("subscribe", job_id=job_id)
        message = await ws.hear()
        assert (message["code"], message["job_id"]) == ("job_not_found", job_id)
        await ws.say("unsubscribe", job_id=job_id)
        assert (await ws.hear())["type"] == "unsubscribed"


async def test_someone_elses_job_is_no_other_than_an_unknown_one_but_for_an_admin(server):
    job_id = await server.initiate(user="bob")
    async with socket(server) as ws:
        answers = []
        for each in (job_id, NO_JOB):
            await ws.say("subscribe", job_id=each)
            answers.append((await ws.hear()) | {"job_id": ""})
        assert answers[0] == answers[1]
        await processing(server.services, job_id)
        assert await ws.silent()
    async with socket(server, user="root", role="admin") as admin:
        assert (await admin.follow(job_id))[0]["status"] == "processing"


async def test_a_connection_follows_so_many_jobs_and_no_more(server, monkeypatch):
    monkeypatch.setattr("haulier.api.live.following.MOST_SUBSCRIPTIONS", 1)
    first, second = await server.initiate(70_000), await server.initiate(70_001)
    async with socket(server) as ws:
        await ws.follow(first)
        await ws.say("subscribe", job_id=second)
        assert await ws.error() == "too_many_subscriptions"
        await completed(server.services, first)  # makes room
        await eventually(lambda: not server.services.feeds.by_job)
        await ws.hear()
        await ws.say("subscribe", job_id=second)
        assert (await ws.hear_until("subscribed"))[-1]["job_id"] == second


async def test_replicas_tell_the_same_changes(server, settings):
    async with serving(settings) as replica:
        job_id = await server.initiate()
        async with socket(server) as here, socket(replica) as there:
            await here.follow(job_id)
            await there.follow()
            attempt = await processing(server.services, job_id)
            await moved(server, attempt, percent=50)
            for ws in (here, there):
                versions, progress = [0], 0
                while progress != 50:
                    message = await ws.hear()
                    versions.append(message["version"])
                    progress = message["progress"]
                assert versions == sorted(versions)


async def test_an_archive_is_told_with_its_files_only_when_it_was_asked_for(server):
    answer = await server.post("/v1/download/initiate", {"file_ids": [70_000, 70_001]})
    async with socket(server) as ws:
        assert "files" not in (await ws.follow())[0]
        assert len((await ws.follow(answer.json()["job_id"]))[0]["files"]) == 2
