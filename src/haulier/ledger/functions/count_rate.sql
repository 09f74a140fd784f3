-- The one with fewer arguments goes in the transaction that brings this one: API processes of before call it until then.
drop function if exists count_rate(text, integer);

-- Count one request of a user's minute, each kind of request in a `p_period` of its own; null p_rate: unlimited, nothing is
-- counted.
create or replace function count_rate(
    p_user text, p_rate integer, p_period text default 'minute',
    out admitted boolean, out used integer, out resets_at timestamptz
) language plpgsql as $$
declare
    v_now timestamptz := haulier_now();
begin
    admitted := true;
    if p_rate is null then
        return;
    end if;
    insert into usage as u values (p_user, p_period, v_now, 1)
    on conflict (user_id, period) do update set
        starts_at = case when u.starts_at > v_now - interval '1 minute' then u.starts_at else v_now end,
        used = case when u.starts_at > v_now - interval '1 minute' then u.used + 1 else 1 end
    where u.starts_at <= v_now - interval '1 minute' or u.used < p_rate
    returning u.used, u.starts_at + interval '1 minute' into count_rate.used, resets_at;
    if not found then
        admitted := false;
        select u.used, u.starts_at + interval '1 minute' into count_rate.used, resets_at
        from usage u where u.user_id = p_user and u.period = p_period;
    end if;
end $$;
