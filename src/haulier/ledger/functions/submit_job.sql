-- Admit one request: rate, idempotency, quota, fair place and the job's row, in one statement and one commit.
--
-- outcome: created | joined | mismatch | rate_limited | quota_exceeded. Only created and joined carry a job.
-- All calls of one user run one after the other (row locks on usage, idempotency and users), so limits have no races.
create or replace function submit_job(
    p_id uuid, p_user text, p_role text, p_request jsonb, p_preparer text, p_max_attempts integer, p_retry_of uuid,
    p_key text, p_hash bytea, p_key_is_explicit boolean, p_key_ttl interval,
    p_rate integer, p_quota integer, p_running integer, p_weight double precision,
    out outcome text, out job jobs,
    out rate_used integer, out rate_resets_at timestamptz, out quota_used integer, out quota_resets_at timestamptz
) language plpgsql as $$
declare
    v_now timestamptz := haulier_now();
    v_claim idempotency;
    v_fresh boolean;
    v_tag double precision;
    v_room boolean;
begin
    if p_rate is not null then
        insert into usage as u values (p_user, 'minute', v_now, 1)
        on conflict (user_id, period) do update set
            starts_at = case when u.starts_at > v_now - interval '1 minute' then u.starts_at else v_now end,
            used = case when u.starts_at > v_now - interval '1 minute' then u.used + 1 else 1 end
        where u.starts_at <= v_now - interval '1 minute' or u.used < p_rate
        returning u.used, u.starts_at + interval '1 minute' into rate_used, rate_resets_at;
        if not found then
            select u.used, u.starts_at + interval '1 minute' into rate_used, rate_resets_at
            from usage u where u.user_id = p_user and u.period = 'minute';
            outcome := 'rate_limited';
            return;
        end if;
    end if;

    insert into idempotency as i values (p_user, p_key, p_hash, p_id, v_now + p_key_ttl)
    on conflict (user_id, key) do update set job_id = i.job_id -- changes nothing; takes the row's lock
    returning i.* into v_claim;
    v_fresh := v_claim.job_id = p_id;
    if not v_fresh then
        select * into job from jobs where id = v_claim.job_id;
        if p_key_is_explicit and v_claim.expires_at > v_now then
            outcome := case when v_claim.request_hash = p_hash then 'joined' else 'mismatch' end;
        elsif job.status in ('queued', 'processing')
            or (job.status = 'completed' and not job.artefact_expired
                and job.artefact_expires_at > v_now and v_claim.expires_at > v_now) then
            outcome := 'joined';
        end if;
        if outcome is not null and job.id is not null then
            select u.used, u.starts_at + interval '1 day' into quota_used, quota_resets_at
            from usage u where u.user_id = p_user and u.period = 'day' and u.starts_at > v_now - interval '1 day';
            return;
        end if;
        job := null;
    end if;

    if p_quota is not null then
        insert into usage as u values (p_user, 'day', date_trunc('day', v_now, 'UTC'), 1)
        on conflict (user_id, period) do update set
            starts_at = date_trunc('day', v_now, 'UTC'),
            used = case when u.starts_at = date_trunc('day', v_now, 'UTC') then u.used + 1 else 1 end
        where u.starts_at < date_trunc('day', v_now, 'UTC') or u.used < p_quota
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

    -- Start-time fair queueing: a job starts where the user's last one ended, but never before the head of the queue;
    -- an idle queue forgets the past.
    select min(fair_tag) into v_tag from jobs
    where status = 'queued' and handed_at is null and retry_at is null;
    if v_tag is null then
        select max(fair_tag) into v_tag from users;
    end if;
    insert into users as u values (p_user, coalesce(v_tag, 0) + 1 / p_weight)
    on conflict (user_id) do update set fair_tag = greatest(u.fair_tag, v_tag) + 1 / p_weight
    returning u.fair_tag - 1 / p_weight into v_tag;

    -- With room in the engine and nobody waiting, the job is handed over by whoever submits it.
    v_room := not exists (select from jobs where status = 'queued' and handed_at is null and retry_at is null)
        and (select count(*) from jobs where handed_at is not null) < engine_window()
        and (p_running is null or (select count(*) from jobs where user_id = p_user and handed_at is not null) < p_running);

    insert into jobs (
        id, user_id, role, request, preparer, max_attempts, fair_tag, running_cap, retry_of,
        handover, handed_at, created_at, updated_at
    ) values (
        p_id, p_user, p_role, p_request, p_preparer, p_max_attempts, v_tag, p_running, p_retry_of,
        v_room::integer, case when v_room then v_now end, v_now, v_now
    ) returning * into job;
    outcome := 'created';
end $$;
