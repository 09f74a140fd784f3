-- Disable a channel because its receiver wants nothing more; what waits for it fails with it. Whether there is one.
create or replace function switch_off_channel(p_id uuid, p_reason text) returns boolean language plpgsql as $$
begin
    update channels set disabled_at = haulier_now(), disabled_reason = p_reason, updated_at = haulier_now()
    where id = p_id and disabled_at is null;
    update deliveries set status = 'failed', due_at = null, ended_at = haulier_now()
    where channel_id = p_id and status = 'pending';
    return exists (select 1 from channels where id = p_id);
end $$;
