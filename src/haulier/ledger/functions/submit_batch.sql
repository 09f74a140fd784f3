-- The one with fewer arguments goes in the transaction that brings this one: API processes of before call it until then.
drop function if exists submit_batch(
    uuid, text, text, integer, uuid[], text[], text[], text[], bytea[], interval, text, bytea, interval, integer, integer,
    integer, double precision, integer, interval
);

-- Admit a request for one job a file: all of them or none, in one statement and one commit.
--
-- outcome: created | joined | mismatch | rate_limited | quota_exceeded. A row for each job of created and joined, in the
-- order of the request; one row without a job for the others. The request counts once against the rate and each new job
-- against the quota; quota_needed is how many these are. A file that its user's living job is about joins that one. p_key
-- (null: none) covers the whole request; its row in idempotency has the batch's id.
--
-- p_notify is as in submit_job, for each of the jobs.
-- All keys are locked in order before anything else, so that no two requests wait for each other.
create or replace function submit_batch(
    p_batch uuid, p_user text, p_role text, p_max_attempts integer,
    p_ids uuid[], p_requests text[], p_preparers text[], p_keys text[], p_hashes bytea[], p_file_key_ttl interval,
    p_key text, p_hash bytea, p_key_ttl interval,
    p_rate integer, p_quota integer, p_running integer, p_weight double precision, p_role_running integer,
    p_keep_for interval, p_notify uuid[] default null
) returns table (
    outcome text, batch_id uuid, job jobs, joined boolean,
    rate_used integer, rate_resets_at timestamptz, quota_used integer, quota_resets_at timestamptz, quota_needed integer
) language plpgsql as $$
#variable_conflict use_column
declare
    v_now timestamptz := haulier_now();
    v_today timestamptz := date_trunc('day', v_now, 'UTC');
    v_rate record;
    v_claim idempotency;
    v_outcome text := 'created';
    v_batch batches;
    v_jobs uuid[] := '{}';
    v_expire timestamptz[];
    v_joined boolean[] := '{}';
    v_used integer;
    v_needed integer := 0;
    v_notify uuid[] := coalesce(p_notify, '{}');
begin
    select * into v_rate from count_rate(p_user, p_rate);
    if not v_rate.admitted then
        v_outcome := 'rate_limited';
    end if;

    if v_outcome = 'created' and p_key is not null then
        insert into idempotency as i values (p_user, p_key, p_hash, p_batch, v_now + p_key_ttl)
        on conflict (user_id, key) do update set job_id = i.job_id -- changes nothing; takes the row's lock
        returning i.* into v_claim;
        if v_claim.job_id <> p_batch and v_claim.expires_at > v_now then
            v_outcome := case when v_claim.request_hash = p_hash then 'joined' else 'mismatch' end;
        elsif v_claim.job_id <> p_batch then
            update idempotency set job_id = p_batch, request_hash = p_hash, expires_at = v_now + p_key_ttl
            where user_id = p_user and key = p_key;
        end if;
    end if;

    if v_outcome = 'created' then
        begin
            with claims as (
                insert into idempotency as i
                select p_user, file.key, file.hash, file.id, v_now + p_file_key_ttl
                from unnest(p_keys, p_hashes, p_ids) as file (key, hash, id) order by file.key
                on conflict (user_id, key) do update set job_id = i.job_id -- changes nothing; takes the row's lock
                returning i.key, i.job_id, i.expires_at
            )
            select array_agg(claims.job_id order by place), array_agg(claims.expires_at order by place)
            into v_jobs, v_expire
            from unnest(p_keys) with ordinality as file (key, place) join claims using (key);
            if p_quota is not null then
                insert into usage as u values (p_user, 'day', v_today, 0)
                on conflict (user_id, period) do update set
                    starts_at = v_today, used = case when u.starts_at = v_today then u.used else 0 end
                returning u.used into v_used;
            end if;

            select array_agg(case when living.id is null then file.id else file.job_id end order by place),
                array_agg(living.id is not null order by place), count(*) filter (where living.id is null)
            into v_jobs, v_joined, v_needed
            from unnest(p_ids, v_jobs, v_expire) with ordinality as file (id, job_id, expires_at, place)
            left join jobs living on living.id = file.job_id and is_joinable(living, file.expires_at);
            if v_used + v_needed > p_quota then
                raise exception 'quota exceeded' using errcode = 'HB001';
            end if;
            update idempotency set job_id = file.id, request_hash = file.hash, expires_at = v_now + p_file_key_ttl
            from unnest(p_ids, p_keys, p_hashes, v_joined) as file (id, key, hash, joined)
            where idempotency.user_id = p_user and idempotency.key = file.key
                and not file.joined and idempotency.job_id <> file.id;
            update usage set used = v_used + v_needed
            where user_id = p_user and period = 'day' and p_quota is not null and v_needed > 0;
            v_used := v_used + v_needed;
            perform place_jobs(
                p_user, p_role, fresh.ids, fresh.requests, fresh.preparers, p_max_attempts, null, p_batch,
                case when p_quota is not null then v_today end, p_running, p_weight, p_role_running, p_keep_for,
                v_notify, p_notify is null
            )
            from (
                select array_agg(file.id order by place) as ids,
                    array_agg(file.request::jsonb order by place) as requests,
                    array_agg(file.preparer order by place) as preparers
                from unnest(p_ids, p_requests, p_preparers, v_joined) with ordinality
                    as file (id, request, preparer, joined, place)
                where not file.joined
            ) fresh;
            insert into batches values (p_batch, p_user, v_jobs, v_now) returning * into v_batch;
        exception when sqlstate 'HB001' then -- undoes what was done since `begin`
            delete from idempotency where user_id = p_user and key = p_key and job_id = p_batch;
            v_outcome := 'quota_exceeded';
        end;
    elsif v_outcome = 'joined' then
        select * into v_batch from batches where id = v_claim.job_id;
        v_jobs := v_batch.job_ids;
        v_joined := array_fill(true, array[cardinality(v_jobs)]);
    end if;

    if v_outcome in ('created', 'joined') then
        -- After place_jobs: users are locked before jobs.
        perform tell_too(jobs, v_notify, p_notify is null) from jobs where id = any(v_jobs) and status in ('queued', 'processing');
        return query
            select v_outcome, v_batch.id, jobs, admitted.joined, v_rate.used, v_rate.resets_at,
                v_used, v_today + interval '1 day', v_needed
            from unnest(v_jobs, v_joined) with ordinality as admitted (id, joined, place)
            join jobs on jobs.id = admitted.id
            order by place;
    else
        return query
            select v_outcome, null::uuid, null::jobs, false, v_rate.used, v_rate.resets_at,
                v_used, v_today + interval '1 day', v_needed;
    end if;
end $$;
