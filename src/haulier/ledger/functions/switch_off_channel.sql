-- Disable a channel because its receiver wants nothing more; what waits for it fails with it. Whether there is one.
--
-- Whoever confirmed it takes that back: it has to be confirmed anew.
create or replace function switch_off_channel(p_id uuid, p_reason text) returns boolean language plpgsql as $$
begin
    update channels set
        confirmed = false, failing_since = null, disabled_at = coalesce(disabled_at, haulier_now()), disabled_reason = p_reason,
        updated_at = haulier_now()
    where id = p_id;
    if not found then
        return false;
    end if;
    update deliveries set status = 'failed', due_at = null, ended_at = haulier_now()
    where channel_id = p_id and status = 'pending';
    return true;
end $$;
