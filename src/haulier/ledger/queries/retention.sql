-- name: expire_artefacts :many
-- Mark artefacts whose time is over as expired, and say whose objects can be deleted; see functions/expire_artefacts.sql.
select job, last from expire_artefacts(:most);

-- name: keys_in_use :many
-- Which of these objects, stored by these (job, attempt) pairs, are in use: of a running attempt, of a completed job that
-- has not expired, or of a build, as its artefact or as the upload that its next attempt goes on with.
select owned.key
from unnest(:keys::text[], :job_ids::uuid[], :attempts::integer[]) as owned (key, job_id, attempt)
where exists (select from jobs where id = owned.job_id and attempt = owned.attempt and status = 'processing')
    or exists (select from jobs where artefact_key = owned.key and status = 'completed' and not artefact_expired)
    or exists (select from builds where artefact_key = owned.key or upload_key = owned.key);

-- name: uploads_in_use :many
-- Handles of uploads that an attempt works on or may go on with.
select upload_handle from builds where upload_handle is not null and not finished;

-- name: sweep_builds :many
-- Forget builds that nobody goes on with: begun by a job that is over and not touched for ten minutes (for a day, when
-- another job in line wants it), or finished and of no use to anybody. The uploads are the caller's to abort.
delete from builds
where case
    when finished then touched_at < haulier_now() - interval '10 minutes' and not exists (
        select from jobs
        where jobs.artefact_key = builds.artefact_key and status = 'completed' and not artefact_expired
    )
    else touched_at < haulier_now() - case when wanted then interval '1 day' else interval '10 minutes' end
        and not exists (select from jobs where id = leader and status in ('queued', 'processing'))
end
returning upload_key, upload_handle;

-- name: forget_jobs :many
-- Remove up to `most` records of jobs that have been over, with their file expired, for `age`; attempts, provenance
-- and deliveries go with them, events stay. What is still to be told keeps them: its last attempt comes after nine days at
-- most, a channel whose kind is off would keep them for ever.
delete from jobs
using (
    select id from jobs
    where completed_at is not null and greatest(completed_at, artefact_expires_at) < haulier_now() - :age::interval
        and (status <> 'completed' or artefact_expired)
        and not exists (
            select from deliveries
            where job_id = jobs.id and ended_at is null and at > haulier_now() - interval '10 days'
        )
    order by greatest(completed_at, artefact_expires_at) limit :most for update skip locked
) over
where jobs.id = over.id
returning jobs.id;

-- name: forget_events :many
-- Remove up to `most` events that are older than `age`.
delete from job_events
using (select id from job_events where at < haulier_now() - :age::interval order by at limit :most) old
where job_events.id = old.id
returning job_events.id;

-- name: forget_deliveries :many
-- Remove up to `most` deliveries that have been over for `age`, with their attempts; those of a job go with it, too.
delete from deliveries
using (
    select id from deliveries where ended_at < haulier_now() - :age::interval
    order by ended_at limit :most for update skip locked
) over
where deliveries.id = over.id
returning deliveries.id;

-- name: forget_batches :many
-- Remove up to `most` batches without any job left; they are at least as old as their jobs.
delete from batches
where id in (
    select id from batches
    where created_at < haulier_now() - :age::interval
        and not exists (select from jobs where jobs.id = any(batches.job_ids))
    order by created_at limit :most
)
returning id;

-- name: forget_users :many
-- Remove up to `most` users without anything; see functions/forget_users.sql.
select forget_users(:most) as user_id;

-- name: sweep_idempotency :exec
-- Forget keys that are over for a day. Not those that a request is taking up again: it may hold one and want another.
delete from idempotency
using (
    select user_id, key from idempotency where expires_at < haulier_now() - interval '1 day' for update skip locked
) over
where idempotency.user_id = over.user_id and idempotency.key = over.key;

-- name: sweep_usage :exec
-- Forget counts of minutes and days that are over for long, and that an address wants no more codes after its 30 days.
delete from usage
where starts_at < haulier_now() - case when period = 'stopped' then interval '30 days' else interval '2 days' end;
