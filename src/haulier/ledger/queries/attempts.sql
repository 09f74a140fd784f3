-- name: claim_job :one
-- Start an attempt of a handed-over job; see functions/claim_job.sql.
select * from claim_job(:job_id, :handover, :worker, :lease::interval);

-- name: claimed_job :one
-- The attempt that this worker runs because of this hand-over.
select * from jobs
where id = :job_id and handover = :handover and worker = :worker and status = 'processing';

-- name: beat :many
-- Prolong the leases of running attempts and note their progress, for those who follow their builds too; attempts that
-- lost their job are not returned.
with beaten as (
    update jobs set
        lease_until = haulier_now() + :lease::interval,
        stage = beat.stage, done_bytes = beat.done_bytes, total_bytes = beat.total_bytes, percent = beat.percent,
        files = beat.files, file_errors = beat.file_errors::jsonb
    from unnest(
        :job_ids::uuid[], :attempts::integer[], :stages::text[], :done::bigint[], :total::bigint[], :percent::smallint[],
        :files::text[], :file_errors::text[]
    ) as beat (id, attempt, stage, done_bytes, total_bytes, percent, files, file_errors)
    where jobs.id = beat.id and jobs.attempt = beat.attempt and jobs.status = 'processing'
        and jobs.following is null -- who follows a build has left its worker
    returning jobs.*
), following as (
    update jobs set
        stage = beaten.stage, done_bytes = beaten.done_bytes, total_bytes = beaten.total_bytes,
        percent = greatest(jobs.percent, beaten.percent), files = beaten.files, file_errors = beaten.file_errors
    from beaten where jobs.following = beaten.build_key and jobs.status = 'processing'
    returning jobs.*
)
select * from beaten union all select * from following;

-- name: save_checkpoint :one
-- Keep a running attempt's state for the next attempt.
update jobs set checkpoint = :checkpoint
where id = :job_id and attempt = :attempt and status = 'processing'
returning id;

-- name: complete_job :one
-- Make an attempt's artefact the job's, and that of all who follow its build; see functions/complete_job.sql.
select * from complete_job(
    :job_id, :attempt, :key, :file_name, :content_type, :size, :etag, :sha256, :facts::jsonb,
    'completed', :files, :file_errors::text::jsonb
);

-- name: followers :many
-- The jobs that got the artefact of the build that this job led.
select jobs.* from jobs join builds on builds.artefact_key = jobs.artefact_key
where builds.leader = :job_id and jobs.following = builds.key and jobs.status = 'completed';

-- name: end_attempt :one
-- End an attempt without an artefact: failed for good, or queued again after `wait`. A hand-back is not counted, and due
-- at once.
with ended as (
    update jobs set
        status = case when :outcome = 'failed' then 'failed' else 'queued' end, reason = :outcome,
        attempts_used = attempts_used - case when :outcome = 'handed_back' then 1 else 0 end,
        retry_at = case when :outcome <> 'failed' then haulier_now() + :wait::interval end,
        completed_at = case when :outcome = 'failed' then haulier_now() end,
        error_code = case when :outcome = 'failed' then :error_code::text end,
        error_message = case when :outcome = 'failed' then :error_message::text end,
        lease_until = null, handed_at = null
    where id = :job_id and attempt = :attempt and status = 'processing'
    returning *
), closed as (
    update attempts set
        ended_at = haulier_now(), outcome = :outcome, error_code = :error_code, error_message = :error_message
    from ended where attempts.job_id = ended.id and attempts.number = ended.attempt
)
select * from ended;

-- name: cancel_job :one
-- Cancel a job that is not over, of this user (null: of anyone); see functions/cancel_job.sql.
select * from cancel_job(:job_id, :user_id::text);

-- name: end_lost_attempts :many
-- Take jobs from attempts whose lease ran out: queued again at once, or failed when no attempts remain.
with lost as (
    select id from jobs where status = 'processing' and lease_until < haulier_now()
    order by id limit 500 for update skip locked
), ended as (
    update jobs set
        status = case when attempts_used < max_attempts then 'queued' else 'failed' end, reason = 'lost',
        completed_at = case when attempts_used < max_attempts then null else haulier_now() end,
        error_code = case when attempts_used < max_attempts then null else :error_code::text end,
        error_message = case when attempts_used < max_attempts then null else :error_message::text end,
        retry_at = case when attempts_used < max_attempts then haulier_now() end,
        lost = lost + 1, lease_until = null, handed_at = null
    from lost where jobs.id = lost.id
    returning jobs.*
), closed as (
    update attempts set
        ended_at = haulier_now(), outcome = 'lost', error_code = :error_code, error_message = :error_message
    from ended where attempts.job_id = ended.id and attempts.number = ended.attempt
)
select * from ended;
