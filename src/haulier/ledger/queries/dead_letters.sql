-- name: dead_letters :many
-- Failed jobs, the latest failure first, with the user's role of today and the job that took their place; keyset by
-- `before_at` and `before_id`. Walks the index of failed jobs, so that it costs what it shows and what it passes over.
select jobs.*, users.role as role_today, retried_as, retry_status
from jobs
join users on users.user_id = jobs.user_id
left join lateral last_retry(jobs.id, jobs.retry_of) on true
where jobs.status = 'failed'
    and (:user_id::text is null or jobs.user_id = :user_id)
    and (:code::text is null or jobs.error_code = :code)
    and (:preparer::text is null or jobs.preparer = :preparer)
    and (:since::timestamptz is null or jobs.completed_at >= :since)
    and (:until::timestamptz is null or jobs.completed_at < :until)
    and (:retried::boolean is null or (retried_as is not null) = :retried)
    -- The same for most of them and much quicker: after an outage there may be 100,000 to pass over.
    and (:retried is distinct from false or not exists (select from jobs retry where retry.retry_of = jobs.id))
    and (:before_at::timestamptz is null or (jobs.completed_at, jobs.id) < (:before_at, :before_id::uuid))
order by jobs.completed_at desc, jobs.id desc
limit :count;

-- name: dead_letter :one
-- One failed job, as in dead_letters.
select jobs.*, users.role as role_today, retried_as, retry_status
from jobs
join users on users.user_id = jobs.user_id
left join lateral last_retry(jobs.id, jobs.retry_of) on true
where jobs.id = :job_id and jobs.status = 'failed';

-- name: latest_dead_letters :many
-- For each of these jobs that failed, the last failure in the chain of its retries: the one to retry.
with recursive chain as (
    select id as asked, id, retry_of, 0 as depth from jobs where id = any(:job_ids::uuid[]) and status = 'failed'
    union all
    select chain.asked, retried_as, retry_retry_of, depth + 1
    from chain cross join lateral last_retry(chain.id, chain.retry_of)
    where retry_status = 'failed'
), latest as (
    select distinct on (asked) asked, id from chain order by asked, depth desc
)
select asked, jobs.*, users.role as role_today, retried_as, retry_status
from latest
join jobs on jobs.id = latest.id
join users on users.user_id = jobs.user_id
left join lateral last_retry(jobs.id, jobs.retry_of) on true;

-- name: attempts_of_job :many
-- All attempts of a job, the first one first.
select * from attempts where job_id = :job_id order by number;
