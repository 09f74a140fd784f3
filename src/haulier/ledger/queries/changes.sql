-- name: changed_jobs :many
-- Of these jobs those whose version is another one than is known.
select jobs.* from unnest(:ids::uuid[], :versions::integer[]) as known (id, version)
join jobs on jobs.id = known.id and jobs.version <> known.version;

-- name: changed_jobs_of_users :many
-- Which of these users' jobs changed lately, and their versions: a page, by id behind `after`.
select id, version from (
    select id, version from jobs
    where user_id = any (:users::text[]) and status in ('queued', 'processing')
        and updated_at > haulier_now() - :within::interval
    union all
    select id, version from jobs
    where user_id = any (:users) and completed_at is not null and completed_at > haulier_now() - :within
) changed
where id > :after::uuid
order by id limit :most;

-- name: moment :one
-- Now, by the clock that dates jobs.
select haulier_now() as now;

-- name: jobs_alive :many
-- The newest of a user's jobs that wait or run; those that run stand first.
(select jobs.* from jobs where user_id = :user_id and status = 'processing' order by id desc limit :most)
union all
(select jobs.* from jobs where user_id = :user_id and status = 'queued' order by id desc limit :most)
limit :most;

-- name: jobs_ended_since :many
-- The latest of a user's jobs that ended after a moment, in the order in which they ended.
select latest.* from (
    select jobs.* from jobs
    where user_id = :user_id and completed_at is not null and completed_at > :since
    order by completed_at desc limit :most
) latest
order by completed_at;
