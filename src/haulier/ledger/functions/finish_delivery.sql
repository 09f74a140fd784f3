-- Workers of before call it with nine arguments: the one that has only those has to go first.
drop function if exists finish_delivery(uuid, integer, text, interval, integer, text, integer, boolean, interval);

-- Write how an attempt of a delivery ended; its new status, or null when the attempt had lost it.
--
-- `p_outcome` is delivered, again (after `p_wait`), failed or unknown. A channel is disabled with `p_disable`, or by a
-- delivery that failed for good when nothing was delivered for `p_failing_for`; what waits for it then fails with it. A
-- code that could not be mailed says nothing of how the channel fares, nor does what `p_counts` is false for: a failure of
-- ours. For `p_pause` the receiver wants nothing at all.
create or replace function finish_delivery(
    p_id uuid, p_attempt integer, p_outcome text, p_wait interval, p_answer integer, p_reason text, p_duration_ms integer,
    p_disable boolean, p_failing_for interval, p_pause interval default null, p_counts boolean default true,
    out status text, out disabled boolean
) language plpgsql as $$
#variable_conflict use_column
declare
    v_channel uuid;
    v_counts boolean;
begin
    disabled := false;
    update deliveries set
        status = case when p_outcome = 'again' then 'pending' else p_outcome end,
        due_at = case when p_outcome = 'again' then haulier_now() + p_wait end,
        ended_at = case when p_outcome <> 'again' then haulier_now() end,
        lease_until = null
    where deliveries.id = p_id and attempts = p_attempt and deliveries.status = 'sending'
    returning channel_id, p_counts and event <> 'confirm', deliveries.status into v_channel, v_counts, finish_delivery.status;
    if not found then
        return;
    end if;
    insert into delivery_attempts (delivery_id, number, at, duration_ms, outcome, answer, reason)
    values (
        p_id, p_attempt, haulier_now() - p_duration_ms * interval '1 ms', p_duration_ms, p_outcome, p_answer, p_reason
    );
    if p_outcome = 'delivered' then
        update channels set failing_since = null where id = v_channel and failing_since is not null;
        return;
    elsif p_outcome = 'unknown' then
        return;
    end if;
    update channels set
        not_before = greatest(not_before, haulier_now() + p_pause), -- null is passed over
        failing_since = case when v_counts or p_disable then coalesce(failing_since, haulier_now()) else failing_since end,
        disabled_reason = case
            when p_disable then p_reason
            when v_counts and p_outcome = 'failed' and failing_since <= haulier_now() - p_failing_for
                then 'nothing could be delivered for ' || extract(day from p_failing_for) || ' days; the last reason: ' || p_reason
        end
    where id = v_channel and disabled_at is null
    returning disabled_reason is not null into finish_delivery.disabled;
    if not found and p_outcome = 'again' then -- it was disabled while this one was sent
        perform fail_waiting(v_channel);
        status := 'failed';
    end if;
    disabled := coalesce(disabled, false);
    if disabled then
        update channels set disabled_at = haulier_now(), updated_at = haulier_now() where id = v_channel;
        perform fail_waiting(v_channel);
    end if;
end $$;
