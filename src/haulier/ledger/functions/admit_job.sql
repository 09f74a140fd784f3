-- Admit one request whose rate was counted: idempotency, quota, fair place and the job's row. Whoever counts the quota of
-- several requests together gives no p_quota, but p_quota_day: the day that counted them.
--
-- outcome: created | joined | mismatch | quota_exceeded. Only created and joined carry a job.
-- All calls of one user run one after the other (row locks on usage, idempotency and users), so limits have no races.
-- Locks are taken in the order usage, users, roles, jobs, here and wherever more than one of them is locked.
create or replace function admit_job(
    p_id uuid, p_user text, p_role text, p_request jsonb, p_preparer text, p_max_attempts integer, p_retry_of uuid,
    p_batch uuid, p_key text, p_hash bytea, p_key_is_explicit boolean, p_key_ttl interval,
    p_quota integer, p_quota_day timestamptz, p_running integer, p_weight double precision, p_role_running integer,
    p_keep_for interval,
    out outcome text, out job jobs, out quota_used integer, out quota_resets_at timestamptz
) language plpgsql as $$
declare
    v_now timestamptz := haulier_now();
    v_today timestamptz := date_trunc('day', v_now, 'UTC');
    v_claim idempotency;
    v_fresh boolean;
    v_fair_tag double precision;
    v_handed_at timestamptz;
begin
    insert into idempotency as i values (p_user, p_key, p_hash, p_id, v_now + p_key_ttl)
    on conflict (user_id, key) do update set job_id = i.job_id -- changes nothing; takes the row's lock
    returning i.* into v_claim;
    v_fresh := v_claim.job_id = p_id;
    if not v_fresh then
        select * into job from jobs where id = v_claim.job_id;
        if p_key_is_explicit and v_claim.expires_at > v_now then
            outcome := case when v_claim.request_hash = p_hash then 'joined' else 'mismatch' end;
        -- A key that is over may be used for another request.
        elsif v_claim.request_hash = p_hash and (
            job.status in ('queued', 'processing')
            or (job.status = 'completed' and not job.artefact_expired
                and job.artefact_expires_at > v_now and v_claim.expires_at > v_now)
        ) then
            outcome := 'joined';
        end if;
        -- A key that was used for a batch names no job.
        if outcome = 'mismatch' or (outcome is not null and job.id is not null) then
            select u.used, u.starts_at + interval '1 day' into quota_used, quota_resets_at
            from usage u where u.user_id = p_user and u.period = 'day' and u.starts_at > v_now - interval '1 day';
            return;
        end if;
        job := null;
    end if;

    if p_quota is not null then
        insert into usage as u values (p_user, 'day', v_today, 1)
        on conflict (user_id, period) do update set
            starts_at = v_today,
            used = case when u.starts_at = v_today then u.used + 1 else 1 end
        where u.starts_at < v_today or u.used < p_quota
        returning u.used, u.starts_at + interval '1 day' into quota_used, quota_resets_at;
        if not found then
            select u.used, u.starts_at + interval '1 day' into quota_used, quota_resets_at
            from usage u where u.user_id = p_user and u.period = 'day';
            delete from idempotency where v_fresh and user_id = p_user and key = p_key;
            outcome := 'quota_exceeded';
            return;
        end if;
    end if;

    if not v_fresh then
        update idempotency set job_id = p_id, request_hash = p_hash, expires_at = v_now + p_key_ttl
        where user_id = p_user and key = p_key;
    end if;

    select fair_tag, handed_at into v_fair_tag, v_handed_at
    from place_in_line(p_user, p_role, p_running, p_role_running, p_weight, v_now);
    insert into jobs (
        id, user_id, role, request, preparer, max_attempts, fair_tag, weight, quota_day, retry_of, batch_id, keep_for,
        handover, handed_at, created_at, updated_at
    ) values (
        p_id, p_user, p_role, p_request, p_preparer, p_max_attempts, v_fair_tag, p_weight,
        case when p_quota is not null then v_today else p_quota_day end, p_retry_of, p_batch, p_keep_for,
        (v_handed_at is not null)::integer, v_handed_at, v_now, v_now
    ) returning * into job;
    outcome := 'created';
end $$;
