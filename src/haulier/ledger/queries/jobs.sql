-- name: job_by_id :one
-- One job.
select * from jobs where id = :job_id;

-- name: jobs_of_user :many
-- A user's jobs (null: everyone's), newest first; keyset by `before`, or by offset.
select * from jobs
where user_id = :user_id and (:status::text is null or status = :status) and (:before::uuid is null or id < :before)
order by id desc
offset :skip limit :count;

-- name: count_jobs_of_user :one
-- How many jobs a user has.
select count(*) as total from jobs where user_id = :user_id and (:status::text is null or status = :status);

-- name: place_in_line :one
-- How many jobs are ahead of a waiting job, counted up to 1,000 in the engine and 1,000 before it, and whether its user
-- runs as many as they may. Jobs in the engine are ahead of all others; those not in line are counted as if they were.
select (
    select count(*) from (
        select from jobs other
        where other.status = 'queued' and other.handed_at is not null
            and (job.handed_at is null or (other.handed_at, other.id) < (job.handed_at, job.id))
        limit 1000
    ) handed
) as in_engine, (
    select count(*) from (
        select from jobs other
        where job.handed_at is null and other.status = 'queued' and other.handed_at is null and other.retry_at is null
            and (other.fair_tag, other.id) < (job.fair_tag, job.id)
        limit 1000
    ) waiting
) as in_line, (
    select running_cap <= (
        select count(*) from jobs held where held.user_id = job.user_id and held.handed_at is not null
    )
    from users where users.user_id = job.user_id
) as at_cap
from jobs job where job.id = :job_id and job.status = 'queued';

-- name: line :many
-- The head of the line: up to 1,000 jobs in the engine and the 1,000 before it, each with how many of its kind are ahead.
(
    select id, true as handed, row_number() over (order by handed_at, id) - 1 as ahead, fair_tag
    from jobs where status = 'queued' and handed_at is not null
    order by handed_at, id limit 1000
)
union all
(
    select id, false, row_number() over (order by fair_tag, id) - 1, fair_tag
    from jobs where status = 'queued' and handed_at is null and retry_at is null
    order by fair_tag, id limit 1000
);

-- name: users_at_cap :many
-- Users who run as many jobs as they may.
select users.user_id from users
join (select user_id, count(*) as jobs from jobs where handed_at is not null group by user_id) held using (user_id)
where users.running_cap <= held.jobs;

-- name: depth :many
-- The backlog's shape: every hundredth fair tag (at least every thousandth of the backlog), with how many jobs stand
-- before it.
select nth, fair_tag from (
    select fair_tag, row_number() over (order by fair_tag) - 1 as nth, count(*) over () as jobs from jobs
    where status = 'queued' and handed_at is null and retry_at is null
) ready
where nth % greatest(100, jobs / 1000) = 0
order by nth;

-- name: durations :many
-- How long the latest completed attempts took: quartiles in seconds by preparer and decimal size class (null: all sizes).
with recent as (
    select preparer, floor(log(greatest(size_bytes, 1)))::integer as size_class,
        extract(epoch from ended_at - started_at)::double precision as seconds
    from attempts where outcome = 'completed' order by ended_at desc limit 2000
)
select preparer, size_class, count(*)::integer as samples,
    percentile_cont(array[0.25, 0.5, 0.75]) within group (order by seconds) as quartiles
from recent
group by grouping sets ((preparer), (preparer, size_class));

-- name: fleet :one
-- Slots of the workers that are alive, and attempts running.
select fleet_slots()::integer as slots,
    (select count(*) from jobs where status = 'processing')::integer as running;
