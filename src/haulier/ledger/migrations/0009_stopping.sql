-- Channels whose receiver wants nothing more: a state of their own, beside that they were confirmed once.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- Set by the receiver's "no more", until the receiver confirms anew. Such a channel counts as confirmed for dispatchers of
-- the version before: those remove what is not.
alter table channels add column stopped_at timestamptz;
update channels set stopped_at = disabled_at, confirmed = true
where disabled_at is not null and disabled_reason = 'switched off by the link in an e-mail';

-- What claims hand out of a channel. A type of its own: with that of the table, whoever claims next after a column was added
-- cannot read what he has claimed.
create view told_channels as
    select
        id, user_id, kind, label, target, sealed, events, every_job, confirmed, failing_since, disabled_at, disabled_reason,
        created_at, updated_at, stopped_at
    from channels;

-- Nothing until functions/claim_deliveries.sql is applied, which answers with that type: workers of the version before
-- still read the table's.
create or replace function claim_deliveries(
    p_most integer, p_lease interval, p_kinds text[], p_of_channel integer, p_of_user integer
) returns table (delivery deliveries, channel channels, job jobs) language plpgsql as $$
begin
    return;
end $$;

-- That an address wants no more codes for a while ('stopped', by a hash); `used` are those that it got since.
alter table usage drop constraint usage_period_check;
alter table usage add constraint usage_period_check
    check (period in ('minute', 'day', 'channels', 'codes', 'address', 'stopped'));

-- A channel that is being removed or switched off at the same time is waited for and passed over (for share): a job's end
-- never fails for it, and nothing waits for a channel that is off.
create or replace function queue_deliveries() returns trigger language plpgsql as $$
begin
    insert into deliveries (id, channel_id, job_id, job_version, event, at, due_at)
    select gen_random_uuid(), channels.id, new.id, new.version, 'job.' || new.status, new.completed_at, haulier_now()
    from channels
    where channels.user_id = new.user_id and channels.confirmed and channels.disabled_at is null
        and channels.stopped_at is null and 'job.' || new.status = any (channels.events)
        and (new.notify_every and channels.every_job or channels.id = any (new.notify))
    for share
    on conflict do nothing;
    return null;
end $$;
