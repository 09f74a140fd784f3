-- Count a code that is to be mailed, against what one user may ask for in a day and what one address may get in a day,
-- whoever asks, and within 30 days after its receiver wanted no more of a channel only one; nothing is counted when one of
-- them is used up. `p_address` is a hash.
create or replace function count_code(
    p_user text, p_address text, p_of_user integer, p_of_address integer, out admitted boolean, out resets_at timestamptz
) language plpgsql as $$
declare
    v_now timestamptz := haulier_now();
    v_since timestamptz := v_now - interval '1 day';
begin
    -- In one order, so that two requests do not wait for each other.
    perform pg_advisory_xact_lock(hashtextextended(key, 0))
    from (values ('codes of ' || p_user), ('codes to ' || p_address)) as locks (key) order by hashtextextended(key, 0);
    select max(ends_at) into count_code.resets_at
    from usage u
    join (values
        (p_user, 'codes', p_of_user, interval '1 day'),
        (p_address, 'address', p_of_address, interval '1 day'),
        (p_address, 'stopped', 1, interval '30 days')
    ) as cap (owner, period, most, length) on u.user_id = cap.owner and u.period = cap.period
    cross join lateral (select u.starts_at + cap.length as ends_at) over_at
    where u.used >= cap.most and ends_at > v_now;
    admitted := count_code.resets_at is null;
    if admitted then
        insert into usage as u values (p_user, 'codes', v_now, 1), (p_address, 'address', v_now, 1)
        on conflict (user_id, period) do update set
            starts_at = case when u.starts_at > v_since then u.starts_at else v_now end,
            used = case when u.starts_at > v_since then u.used + 1 else 1 end;
        update usage u set used = u.used + 1 where u.user_id = p_address and u.period = 'stopped';
    end if;
end $$;
