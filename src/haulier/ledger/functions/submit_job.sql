-- Those with fewer arguments go in the transaction that brings this one: API processes of before call them until then.
drop function if exists submit_job(
    uuid, text, text, jsonb, text, integer, uuid, text, bytea, boolean, interval, integer, integer, integer,
    double precision, integer, interval
);
drop function if exists submit_job(
    uuid, text, text, jsonb, text, integer, uuid, text, bytea, boolean, interval, integer, integer, integer,
    double precision, integer, interval, uuid[]
);

-- Admit one request: rate, idempotency, quota, fair place and the job's row, in one statement and one commit.
--
-- outcome: created | joined | mismatch | rate_limited | quota_exceeded. A job counts with created and joined only.
-- p_also_* are further keys of the request, looked at in this order behind p_key. The living job of one that joins is joined,
-- under p_key as well; the others keep theirs. A key without a living job is the new job's.
-- All calls of one user run one after the other (row locks on usage, idempotency and users), so limits have no races.
-- p_notify names the channels that are told of the outcome; null: those that hear of every job. A retry tells whom the job
-- that it retries would have told. A job that is joined tells them too.
-- Locks are taken in the order usage, users, roles, jobs, here and wherever more than one of them is locked.
create or replace function submit_job(
    p_id uuid, p_user text, p_role text, p_request jsonb, p_preparer text, p_max_attempts integer, p_retry_of uuid,
    p_key text, p_hash bytea, p_key_is_explicit boolean, p_key_ttl interval,
    p_rate integer, p_quota integer, p_running integer, p_weight double precision, p_role_running integer default null,
    p_keep_for interval default interval '1 day', p_notify uuid[] default null,
    p_also_keys text[] default '{}', p_also_hashes bytea[] default '{}', p_also_joins boolean[] default '{}',
    p_also_ttl interval default null,
    out outcome text, out job jobs,
    out rate_used integer, out rate_resets_at timestamptz, out quota_used integer, out quota_resets_at timestamptz
) language plpgsql as $$
declare
    v_now timestamptz := haulier_now();
    v_today timestamptz := date_trunc('day', v_now, 'UTC');
    v_asked record;
    v_claim idempotency;
    v_admitted boolean;
    v_is_joinable boolean;
    v_notify uuid[] := coalesce(p_notify, '{}');
    v_every boolean := p_notify is null;
begin
    select admitted, used, resets_at into v_admitted, rate_used, rate_resets_at from count_rate(p_user, p_rate);
    if not v_admitted then
        outcome := 'rate_limited';
        return;
    end if;

    if p_retry_of is not null then
        select notify, notify_every into v_notify, v_every from jobs where id = p_retry_of;
    end if;

    for v_asked in
        select 0 as place, p_key as key, p_hash as hash, p_key_ttl as ttl, true as joins, p_key_is_explicit as is_explicit
        union all
        select place, key, hash, p_also_ttl, joins, false
        from unnest(p_also_keys, p_also_hashes, p_also_joins) with ordinality as also (key, hash, joins, place)
        order by place
    loop
        insert into idempotency as i values (p_user, v_asked.key, v_asked.hash, p_id, v_now + v_asked.ttl)
        on conflict (user_id, key) do update set job_id = i.job_id -- changes nothing; takes the row's lock
        returning i.* into v_claim;
        continue when v_claim.job_id = p_id;
        select * into job from jobs where id = v_claim.job_id;
        v_is_joinable := v_claim.request_hash = v_asked.hash and is_joinable(job, v_claim.expires_at);
        continue when v_is_joinable and not v_asked.joins;
        -- A key that is over may be used for another request.
        if v_asked.is_explicit and v_claim.expires_at > v_now then
            outcome := case when v_claim.request_hash = v_asked.hash then 'joined' else 'mismatch' end;
        elsif v_is_joinable then
            outcome := 'joined';
        end if;
        if outcome = 'joined' and job.id is not null then
            job := tell_too(job, v_notify, v_every);
            if not v_asked.is_explicit and not is_joinable(job, v_claim.expires_at) then -- it has ended meanwhile
                outcome := null;
            end if;
        end if;
        -- A key that was used for a batch names no job.
        exit when outcome = 'mismatch' or (outcome is not null and job.id is not null);
        outcome := null;
        update idempotency set job_id = p_id, request_hash = v_asked.hash, expires_at = v_now + v_asked.ttl
        where user_id = p_user and key = v_asked.key;
    end loop;

    if outcome is not null then
        update idempotency set job_id = job.id, expires_at = v_now + p_key_ttl
        where outcome = 'joined' and p_key_is_explicit and user_id = p_user and key = p_key
            and (job_id = p_id or expires_at <= v_now);
        select u.used, u.starts_at + interval '1 day' into quota_used, quota_resets_at
        from usage u where u.user_id = p_user and u.period = 'day' and u.starts_at > v_now - interval '1 day';
        return;
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
            delete from idempotency where user_id = p_user and key = any(p_key || p_also_keys) and job_id = p_id;
            outcome := 'quota_exceeded';
            return;
        end if;
    end if;

    select * into job from place_jobs(
        p_user, p_role, array[p_id], array[p_request], array[p_preparer], p_max_attempts, p_retry_of, null,
        case when p_quota is not null then v_today end, p_running, p_weight, p_role_running, p_keep_for,
        coalesce(v_notify, '{}'), coalesce(v_every, true)
    );
    outcome := 'created';
end $$;
