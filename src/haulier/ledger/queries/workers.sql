-- name: announce_worker :exec
-- A worker is alive with this many slots.
insert into workers values (:name, :slots, haulier_now())
on conflict (name) do update set slots = excluded.slots, seen_at = excluded.seen_at;

-- name: dismiss_worker :exec
-- A worker has left, or takes no more jobs.
delete from workers where name = :name;

-- name: sweep_workers :exec
-- Forget workers that were not seen for an hour.
delete from workers where seen_at < haulier_now() - interval '1 hour';

-- name: lead :one
-- Become the leader of the dispatchers for as long as this connection lives; and for how long the server has run.
select pg_try_advisory_lock(:lock) as leads,
    extract(epoch from clock_timestamp() - pg_postmaster_start_time())::double precision as server_age_s;
