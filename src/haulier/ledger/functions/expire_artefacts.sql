-- Mark artefacts whose time is over as expired. `last` says of a job that nobody has its object any more, so that it can
-- be deleted.
--
-- Jobs may share an artefact: its builds are locked before anybody looks for other jobs that have it, and go with the
-- last of them, so that no job is completed with an object that is about to be deleted. Each statement here has its own
-- snapshot, so what was committed while we waited for a lock is seen. Locks are taken in the order jobs, builds.
create or replace function expire_artefacts(p_most integer) returns table (job jobs, last boolean) language plpgsql as $$
declare
    v_expired uuid[];
    v_keys text[];
begin
    with due as (
        select id from jobs
        where status = 'completed' and not artefact_expired and artefact_expires_at < haulier_now()
        order by artefact_expires_at limit p_most for update skip locked
    ), expired as (
        update jobs set artefact_expired = true, reason = 'expired' from due where jobs.id = due.id
        returning jobs.id, jobs.artefact_key
    )
    select array_agg(id), array_agg(distinct artefact_key) into v_expired, v_keys from expired;

    perform from builds where artefact_key = any(v_keys) order by key for update;
    select array_agg(key) into v_keys from unnest(v_keys) as key
    where not exists (
        select from jobs where artefact_key = key and status = 'completed' and not artefact_expired
    );
    delete from builds where artefact_key = any(v_keys);

    return query
        select jobs, jobs.artefact_key = any(coalesce(v_keys, '{}')) from jobs where id = any(v_expired);
end $$;
