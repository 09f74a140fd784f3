-- In the transaction that brings another one, since a result's type cannot be replaced.
drop function if exists claim_deliveries(integer, interval, text[], integer, integer);
drop function if exists claim_deliveries(integer, interval, text[], integer, integer, integer);

-- Take up to `p_most` due deliveries of these kinds for `p_lease`, each with its channel and its job; of channels that are
-- known to fail no more than `p_failing` together (workers of before do not say: half of them), since each of those may well
-- be waited for in vain.
--
-- No channel has more than `p_of_channel` under way (one while it fails), no user more than `p_of_user`; users take turns.
-- So a slow or dead address holds up nobody else, whatever waits for it; nor do users with many channels, since the few
-- channels that are looked at first are those of users with the least under way. An unconfirmed channel gets codes only, and
-- one whose receiver asked for a pause nothing until that is over.
-- What a worker that is gone was sending takes no room once its lease is over.
--
-- While nothing of these kinds is due this costs a look in an index for each, else one for each channel that has something
-- of them waiting. Channels are locked in passing (others are skipped), so that two claims never count the same room; the
-- second statement sees what was committed before.
create function claim_deliveries(
    p_most integer, p_lease interval, p_kinds text[], p_of_channel integer, p_of_user integer,
    p_failing integer default null
) returns table (delivery told_deliveries, channel told_channels, job jobs) language plpgsql as $$
#variable_conflict use_column
declare
    v_failing integer := coalesce(p_failing, (p_most + 1) / 2);
    v_channels uuid[];
begin
    if not exists (
        select from unnest(p_kinds) as wanted (kind) where exists (
            select from deliveries
            where deliveries.kind = wanted.kind and status = 'pending' and due_at <= haulier_now()
        )
    ) then
        return;
    end if;

    with recursive lively as (
        select kind, (
            select channel_id from deliveries first
            where first.kind = wanted.kind and status = 'pending' order by channel_id limit 1
        ) as channel_id
        from unnest(p_kinds) as wanted (kind)
        union all
        select kind, (
            select next.channel_id from deliveries next
            where next.kind = lively.kind and next.status = 'pending' and next.channel_id > lively.channel_id
            order by next.channel_id limit 1
        )
        from lively where channel_id is not null
    ), busy as (
        select user_id, count(*) as sending from deliveries join channels on channels.id = channel_id
        where status = 'sending' and lease_until > haulier_now() group by user_id
    ), turn as (
        -- Those that fail and the others by turns: many of the one never keep the other from being looked at.
        select channels.id, row_number() over (
            partition by failing_since is null order by coalesce(busy.sending, 0), first.due_at
        ) as place
        from lively
        join channels on channels.id = lively.channel_id
        cross join lateral (
            select due_at from deliveries
            where deliveries.channel_id = channels.id and status = 'pending' and (channels.confirmed or event = 'confirm')
            order by due_at limit 1
        ) first
        left join busy using (user_id)
        where first.due_at <= haulier_now() and disabled_at is null and stopped_at is null
            and (not_before is null or not_before <= haulier_now())
            and coalesce(busy.sending, 0) < p_of_user and (failing_since is null or v_failing > 0)
            and (case when failing_since is null then p_of_channel else 1 end) > (
                select count(*) from deliveries
                where deliveries.channel_id = channels.id and status = 'sending' and lease_until > haulier_now()
            )
    )
    select array_agg(id) into v_channels from (
        select channels.id from channels join turn using (id) order by turn.place limit 4 * p_most
        for no key update of channels skip locked
    ) locked;
    if v_channels is null then
        return;
    end if;

    return query
        with busy as (
            select user_id, count(*) as sending from deliveries join channels on channels.id = channel_id
            where status = 'sending' and lease_until > haulier_now() group by user_id
        ), candidate as (
            select first.id, first.due_at, failing_since is not null as failing, coalesce(busy.sending, 0)
                + row_number() over (partition by channels.user_id order by first.due_at, first.id) as nth_of_user
            from channels
            left join busy using (user_id)
            cross join lateral (
                select deliveries.id, deliveries.due_at from deliveries
                where deliveries.channel_id = channels.id and status = 'pending' and due_at <= haulier_now()
                    and (channels.confirmed or event = 'confirm')
                order by due_at
                limit greatest(0, (case when failing_since is null then p_of_channel else 1 end) - (
                    select count(*) from deliveries held
                    where held.channel_id = channels.id and held.status = 'sending' and held.lease_until > haulier_now()
                ))
            ) first
            where channels.id = any(v_channels)
        ), placed as (
            select *, row_number() over (partition by failing order by nth_of_user, due_at) as nth
            from candidate where nth_of_user <= p_of_user
        ), next as (
            select id from placed where not failing or nth <= v_failing order by nth_of_user, due_at limit p_most
        ), claimed as (
            update deliveries set
                status = 'sending', due_at = null, lease_until = haulier_now() + p_lease, attempts = attempts + 1
            from next where deliveries.id = next.id and deliveries.status = 'pending'
            returning row(
                deliveries.id, channel_id, job_id, job_version, event, at, status, attempts, attempts_before,
                deliveries.due_at, lease_until, ended_at
            )::told_deliveries as delivery
        )
        select claimed.delivery, told_channels, jobs
        from claimed
        join told_channels on told_channels.id = (claimed.delivery).channel_id
        left join jobs on jobs.id = (claimed.delivery).job_id;
end $$;
