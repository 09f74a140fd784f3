-- Whether this attempt of a job that lost `lost` workers may be the one that kills another: the third time, or the last.
create or replace function is_risky(p_lost integer, p_attempt integer, p_max_attempts integer)
returns boolean language sql immutable as $$
    select p_lost > 0 and (p_lost >= 2 or p_attempt >= p_max_attempts)
$$;

-- Start an attempt of a handed-over job; no row when it was cancelled, finished, claimed elsewhere or handed over anew.
--
-- The last attempt of a job that has lost workers runs on a worker without another such job: what kills its process
-- shall not use up the attempts of those beside it. Refused, the job is handed over again later, maybe elsewhere.
create or replace function claim_job(p_job uuid, p_handover integer, p_worker text, p_lease interval)
returns setof jobs language plpgsql as $$
begin
    if exists (
        select from jobs where id = p_job and is_risky(lost, attempts_used + 1, max_attempts)
    ) then
        perform pg_advisory_xact_lock(hashtextextended(p_worker, 0));
        if exists (
            select from jobs
            where status = 'processing' and worker = p_worker and is_risky(lost, attempts_used, max_attempts)
        ) then
            return;
        end if;
    end if;
    return query
        with claimed as (
            update jobs set
                status = 'processing', reason = 'claimed', attempt = attempt + 1, attempts_used = attempts_used + 1,
                worker = p_worker, lease_until = haulier_now() + p_lease, retry_at = null,
                stage = '', done_bytes = 0, total_bytes = null, percent = 0, build_key = null, following = null,
                started_at = coalesce(started_at, haulier_now())
            where id = p_job and handover = p_handover and handed_at is not null and status = 'queued'
            returning *
        ), opened as (
            insert into attempts (job_id, number, worker, preparer, started_at)
            select id, attempt, worker, preparer, haulier_now() from claimed
        )
        select * from claimed;
end $$;
