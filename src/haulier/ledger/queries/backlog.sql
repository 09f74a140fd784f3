-- name: take_for_hand_over :many
-- Mark the next jobs in fair order as handed over, as far as the engine's window and each user's running cap allow.
with recursive waiting_users as (
    (
        select user_id from jobs where status = 'queued' and handed_at is null order by user_id limit 1
    )
    union all
    select (
        select jobs.user_id from jobs
        where status = 'queued' and handed_at is null and jobs.user_id > waiting_users.user_id
        order by jobs.user_id limit 1
    )
    from waiting_users where waiting_users.user_id is not null
), room as (
    select greatest(0, least(:most::bigint, engine_window() - (select count(*) from jobs where handed_at is not null))) as jobs
), next as (
    select mine.id from waiting_users
    cross join room
    cross join lateral (
        select id, fair_tag, running_cap, row_number() over (order by fair_tag, id) as nth
        from (
            select id, fair_tag, running_cap from jobs
            where user_id = waiting_users.user_id and status = 'queued' and handed_at is null
                and (retry_at is null or retry_at <= haulier_now())
            order by fair_tag, id limit room.jobs
        ) first_in_line
    ) mine
    where mine.running_cap is null or mine.nth + (
        select count(*) from jobs where user_id = waiting_users.user_id and handed_at is not null
    ) <= mine.running_cap
    order by mine.fair_tag, mine.id
    limit (select jobs from room)
)
update jobs set handover = handover + 1, handed_at = haulier_now()
from next where jobs.id = next.id and jobs.status = 'queued' and jobs.handed_at is null
returning jobs.*;

-- name: unclaimed :many
-- Jobs that were handed over at least `age` ago and are not claimed yet: the engine should hold them.
select id, handover from jobs
where handed_at < haulier_now() - :age::interval and status = 'queued'
order by handed_at limit 5000;

-- name: take_back :many
-- Return jobs that the engine does not hold to the backlog, to be handed over again.
update jobs set handed_at = null, reason = 'missing_in_engine'
from unnest(:job_ids::uuid[], :handovers::integer[]) as missing (id, handover)
where jobs.id = missing.id and jobs.handover = missing.handover and jobs.status = 'queued' and jobs.handed_at is not null
returning jobs.id;

-- name: next_due :one
-- Seconds until the next backing-off job is due; null when none backs off.
select extract(epoch from min(retry_at) - haulier_now())::double precision as seconds
from jobs where retry_at is not null and status = 'queued' and handed_at is null;

-- name: expire_artefacts :many
-- Mark artefacts whose time is over as expired; their objects can be deleted then.
with due as (
    select id from jobs
    where status = 'completed' and not artefact_expired and artefact_expires_at < haulier_now()
    order by artefact_expires_at limit 500 for update skip locked
)
update jobs set artefact_expired = true, reason = 'expired' from due where jobs.id = due.id
returning jobs.*;

-- name: attempts_alive :many
-- Which of these (job, attempt) pairs may still own an object: running, or the attempt that completed and is not expired.
select id, attempt from jobs
where id = any(:job_ids::uuid[]) and (status = 'processing' or (status = 'completed' and not artefact_expired));

-- name: sweep_idempotency :exec
-- Forget keys that are over for a day.
delete from idempotency where expires_at < haulier_now() - interval '1 day';
