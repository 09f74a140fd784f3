-- name: submit_job :one
-- Admit a request or say why not; see functions/submit_job.sql.
select * from submit_job(
    :id, :user_id, :role, :request, :preparer, :max_attempts, :retry_of,
    :key, :request_hash, :key_is_explicit, :key_ttl,
    :rate, :quota, :running, :weight, :role_running, :keep_for::interval, :notify::uuid[],
    :also_keys, :also_hashes, :also_joins, :also_ttl
);
