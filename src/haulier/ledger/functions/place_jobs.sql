-- The one with fewer arguments goes in the transaction that brings this one: API processes of before call it until then.
drop function if exists place_jobs(
    text, text, uuid[], jsonb[], text[], integer, uuid, uuid, timestamptz, integer, double precision, integer,
    interval
);

-- Make a user's new jobs, in this order: each in its fair place, the first of them handed over as far as there is room.
-- Once one of them waits, so do all behind it, and their places follow from its own.
create or replace function place_jobs(
    p_user text, p_role text, p_ids uuid[], p_requests jsonb[], p_preparers text[], p_max_attempts integer,
    p_retry_of uuid, p_batch uuid, p_quota_day timestamptz, p_running integer, p_weight double precision,
    p_role_running integer, p_keep_for interval, p_notify uuid[] default '{}',
    p_notify_every boolean default true
) returns setof jobs language plpgsql as $$
declare
    v_now timestamptz := haulier_now();
    v_jobs integer := cardinality(p_ids);
    v_first integer := 1;
    v_last integer;
    v_tag double precision;
    v_handed_at timestamptz;
begin
    while v_first <= v_jobs loop
        select fair_tag, handed_at into v_tag, v_handed_at
        from place_in_line(p_user, p_role, p_running, p_role_running, p_weight, v_now);
        v_last := case when v_handed_at is null then v_jobs else v_first end;
        return query
            insert into jobs (
                id, user_id, role, request, preparer, max_attempts, fair_tag, weight, quota_day, retry_of, batch_id,
                keep_for, notify, notify_every, handover, handed_at, created_at, updated_at
            )
            select
                p_ids[place], p_user, p_role, p_requests[place], p_preparers[place], p_max_attempts,
                v_tag + (place - v_first) / p_weight, p_weight, p_quota_day, p_retry_of, p_batch,
                p_keep_for, p_notify, p_notify_every, (v_handed_at is not null)::integer, v_handed_at, v_now, v_now
            from generate_series(v_first, v_last) as place
            returning *;
        if v_last > v_first then
            update users set fair_tag = users.fair_tag + (v_last - v_first) / p_weight where user_id = p_user;
        end if;
        v_first := v_last + 1;
    end loop;
end $$;
