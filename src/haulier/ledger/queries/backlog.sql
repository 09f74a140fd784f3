-- name: take_for_hand_over :many
-- Mark the next jobs in fair order as handed over; see functions/take_for_hand_over.sql.
select * from take_for_hand_over(:most);

-- name: unclaimed :many
-- Jobs that were handed over at least `age` ago and are not claimed yet: the engine should hold them.
select id, handover from jobs
where handed_at < haulier_now() - :age::interval and status = 'queued'
order by handed_at limit 5000;

-- name: take_back :many
-- Return jobs that the engine does not hold to the backlog, to be handed over again.
update jobs set handed_at = null, retry_at = haulier_now(), reason = 'missing_in_engine'
from unnest(:job_ids::uuid[], :handovers::integer[]) as missing (id, handover)
where jobs.id = missing.id and jobs.handover = missing.handover and jobs.status = 'queued' and jobs.handed_at is not null
returning jobs.id;

-- name: next_due :one
-- Seconds until the next job that is not in line is due to get there; null when there is none.
select extract(epoch from min(retry_at) - haulier_now())::double precision as seconds
from jobs where retry_at is not null and status = 'queued' and handed_at is null;
