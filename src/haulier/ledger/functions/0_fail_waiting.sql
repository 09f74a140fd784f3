-- What waits for a channel that is off now fails with it.
create or replace function fail_waiting(p_channel uuid) returns void language sql as $$
    update deliveries set status = 'failed', due_at = null, ended_at = haulier_now()
    where channel_id = p_channel and status = 'pending'
$$;
