-- In the transaction that brings another one, since a result's type cannot be replaced.
drop function if exists claim_deliveries(integer, interval, text[], integer, integer);

-- Take up to `p_most` due deliveries of these kinds for `p_lease`, each with its channel and its job.
--
-- No channel has more than `p_of_channel` under way (one while it fails), no user more than `p_of_user`; users take turns.
-- So a slow or dead address holds up nobody else, whatever waits for it; nor do users with many channels, since the few
-- channels that are looked at first are those of users with the least under way. An unconfirmed channel gets codes only.
--
-- While nothing is due this costs one look in an index, else one for each channel that has something waiting. Channels are
-- locked in passing (others are skipped), so that two claims never count the same room; the second statement sees what was
-- committed before.
create function claim_deliveries(
    p_most integer, p_lease interval, p_kinds text[], p_of_channel integer, p_of_user integer
) returns table (delivery deliveries, channel told_channels, job jobs) language plpgsql as $$
#variable_conflict use_column
declare
    v_channels uuid[];
begin
    if not exists (select from deliveries where status = 'pending' and due_at <= haulier_now()) then
        return;
    end if;

    with recursive lively as (
        (select channel_id from deliveries where status = 'pending' order by channel_id limit 1)
        union all
        select (
            select next.channel_id from deliveries next
            where next.status = 'pending' and next.channel_id > lively.channel_id order by next.channel_id limit 1
        )
        from lively where lively.channel_id is not null
    ), busy as (
        select user_id, count(*) as sending
        from deliveries join channels on channels.id = channel_id where status = 'sending' group by user_id
    )
    select array_agg(id) into v_channels from (
        select channels.id
        from lively
        join channels on channels.id = lively.channel_id
        cross join lateral (
            select due_at from deliveries
            where deliveries.channel_id = channels.id and status = 'pending' and (channels.confirmed or event = 'confirm')
            order by due_at limit 1
        ) first
        left join busy using (user_id)
        where first.due_at <= haulier_now() and kind = any(p_kinds) and disabled_at is null
            and stopped_at is null and coalesce(busy.sending, 0) < p_of_user
            and (case when failing_since is null then p_of_channel else 1 end) > (
                select count(*) from deliveries where deliveries.channel_id = channels.id and status = 'sending'
            )
        order by coalesce(busy.sending, 0), first.due_at limit 4 * p_most
        for no key update of channels skip locked
    ) locked;
    if v_channels is null then
        return;
    end if;

    return query
        with busy as (
            select user_id, count(*) as sending
            from deliveries join channels on channels.id = channel_id where status = 'sending' group by user_id
        ), candidate as (
            select first.id, first.due_at, coalesce(busy.sending, 0)
                + row_number() over (partition by channels.user_id order by first.due_at, first.id) as nth_of_user
            from channels
            left join busy using (user_id)
            cross join lateral (
                select deliveries.id, deliveries.due_at from deliveries
                where deliveries.channel_id = channels.id and status = 'pending' and due_at <= haulier_now()
                    and (channels.confirmed or event = 'confirm')
                order by due_at
                limit greatest(0, (case when failing_since is null then p_of_channel else 1 end) - (
                    select count(*) from deliveries held where held.channel_id = channels.id and held.status = 'sending'
                ))
            ) first
            where channels.id = any(v_channels)
        ), next as (
            select id from candidate where nth_of_user <= p_of_user order by nth_of_user, due_at limit p_most
        ), claimed as (
            update deliveries set
                status = 'sending', due_at = null, lease_until = haulier_now() + p_lease, attempts = attempts + 1
            from next where deliveries.id = next.id and deliveries.status = 'pending'
            returning deliveries as delivery
        )
        select claimed.delivery, told_channels, jobs
        from claimed
        join told_channels on told_channels.id = (claimed.delivery).channel_id
        left join jobs on jobs.id = (claimed.delivery).job_id;
end $$;
