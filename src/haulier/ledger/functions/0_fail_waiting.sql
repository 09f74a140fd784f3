-- What waits for a channel that is off now fails with it. The log says so as of an attempt, with a number of its own:
-- what the last real one came to is not why there is no other.
create or replace function fail_waiting(p_channel uuid) returns void language sql as $$
    with failed as (
        update deliveries set status = 'failed', due_at = null, ended_at = haulier_now(), attempts = attempts + 1
        where channel_id = p_channel and status = 'pending'
        returning id, attempts
    )
    insert into delivery_attempts (delivery_id, number, at, outcome, reason)
    select id, attempts, haulier_now(), 'failed', 'not sent: the channel was disabled' from failed
$$;
