-- name: submit_batch :many
-- Admit a request for one job a file, or say why not; see functions/submit_batch.sql.
select * from submit_batch(
    :batch_id, :user_id, :role, :max_attempts,
    :ids::uuid[], :requests::text[], :preparers::text[], :keys::text[], :hashes::bytea[], :file_key_ttl,
    :key, :request_hash, :key_ttl,
    :rate, :quota, :running, :weight, :role_running, :keep_for::interval, :notify::uuid[]
);

-- name: batch_by_id :one
-- One batch, with how many of its jobs there are in each status.
select batches.*, (
    select jsonb_object_agg(status, jobs)
    from (select status, count(*) as jobs from jobs where id = any(batches.job_ids) group by status) counted
) as counts
from batches where id = :batch_id;

-- name: jobs_of_batch :many
-- The jobs of a batch in the order of its request.
select jobs.*
from batches cross join unnest(batches.job_ids) with ordinality as member (id, place)
join jobs on jobs.id = member.id
where batches.id = :batch_id
order by place;

-- name: page_of_batch :many
-- The same, newest first; keyset by `before`, or by offset.
select jobs.* from jobs
where id = any((select job_ids from batches where id = :batch_id)::uuid[])
    and (:status::text is null or status = :status) and (:before::uuid is null or id < :before)
order by id desc
offset :skip limit :count;

-- name: count_jobs_of_batch :one
-- How many jobs a batch has.
select count(*) as total from jobs
where id = any((select job_ids from batches where id = :batch_id)::uuid[]) and (:status::text is null or status = :status);

-- name: cancel_batch :many
-- Cancel what is not over of the jobs that a batch made; see functions/cancel_batch.sql.
select * from cancel_batch(:batch_id);
