-- API processes of before call this one with two arguments: the one that has only those has to go first.
drop function if exists switch_off_channel(uuid, text);

-- Disable an e-mail channel because its receiver wants nothing more, until the receiver confirms it anew; what waits for it
-- fails with it. Whether there is one. `p_address` is a hash: from now on it gets few codes, see count_code.sql.
create or replace function switch_off_channel(p_id uuid, p_reason text, p_address text default null)
returns boolean language plpgsql as $$
declare
    v_now timestamptz := haulier_now();
begin
    update channels set
        stopped_at = v_now, failing_since = null, disabled_at = coalesce(disabled_at, v_now), disabled_reason = p_reason,
        updated_at = v_now
    where id = p_id and kind = 'email';
    if not found then
        return false;
    end if;
    perform fail_waiting(p_id);
    if p_address is not null then
        -- Who says it again has not asked for another code by that.
        insert into usage as u values (p_address, 'stopped', v_now, 0)
        on conflict (user_id, period) do update set
            starts_at = v_now, used = case when u.starts_at > v_now - interval '30 days' then u.used else 0 end;
    end if;
    return true;
end $$;
