-- Give back a claimed delivery of which nothing was sent, due after `p_wait`: not an attempt, though the number stays used,
-- since numbers fence. Whether the attempt still had it.
create or replace function hand_back_delivery(p_id uuid, p_attempt integer, p_wait interval) returns boolean
language plpgsql as $$
declare
    v_channel uuid;
begin
    update deliveries set
        status = 'pending', due_at = haulier_now() + p_wait, lease_until = null, attempts_before = attempts_before + 1
    where id = p_id and attempts = p_attempt and status = 'sending'
    returning channel_id into v_channel;
    if not found then
        return false;
    end if;
    perform from channels where id = v_channel and disabled_at is null and stopped_at is null for share;
    if not found then -- it was switched off while this one was ours
        perform fail_waiting(v_channel);
    end if;
    return true;
end $$;
