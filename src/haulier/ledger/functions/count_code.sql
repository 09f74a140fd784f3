-- Count a code that is to be mailed, against what one user may ask for in a day and what one address may get in a day,
-- whoever asks; neither is counted when one of them is used up. `p_address` is a hash.
create or replace function count_code(
    p_user text, p_address text, p_of_user integer, p_of_address integer, out admitted boolean, out resets_at timestamptz
) language plpgsql as $$
declare
    v_now timestamptz := haulier_now();
    v_since timestamptz := v_now - interval '1 day';
    v_found record;
begin
    -- In one order, so that two requests do not wait for each other.
    perform pg_advisory_xact_lock(hashtextextended(key, 0))
    from (values ('codes of ' || p_user), ('codes to ' || p_address)) as locks (key) order by hashtextextended(key, 0);
    select count(*) > 0 as full, max(u.starts_at) + interval '1 day' as resets_at into v_found
    from usage u
    where u.starts_at > v_since and (
        u.user_id = p_user and u.period = 'codes' and u.used >= p_of_user
        or u.user_id = p_address and u.period = 'address' and u.used >= p_of_address
    );
    admitted := not v_found.full;
    resets_at := v_found.resets_at;
    if admitted then
        insert into usage as u values (p_user, 'codes', v_now, 1), (p_address, 'address', v_now, 1)
        on conflict (user_id, period) do update set
            starts_at = case when u.starts_at > v_since then u.starts_at else v_now end,
            used = case when u.starts_at > v_since then u.used + 1 else 1 end;
    end if;
end $$;
