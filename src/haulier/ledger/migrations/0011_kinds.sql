-- What waits is known by its kind, so that a look for one kind does not walk through what waits for another.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- Set whenever a delivery waits; empty in those that were over before.
alter table deliveries add column kind text;

create function note_kind() returns trigger language plpgsql as $$
begin
    select channels.kind into new.kind from channels where channels.id = new.channel_id;
    return new;
end $$;
create trigger deliveries_note_kind before insert or update of status on deliveries for each row
    when (new.kind is null)
    execute function note_kind();

update deliveries set kind = channels.kind from channels
where channels.id = channel_id and status in ('pending', 'sending');

-- Whether anything of a kind is due; and, by channel, what waits of it.
create index deliveries_due_of_kind on deliveries (kind, due_at) where status = 'pending';
create index deliveries_waiting_of_kind on deliveries (kind, channel_id) where status = 'pending';
drop index deliveries_due;

-- What claims hand out of a delivery: the same columns whatever the table gets, as told_channels does for channels.
create view told_deliveries as
    select
        id, channel_id, job_id, job_version, event, at, status, attempts, attempts_before, due_at, lease_until, ended_at
    from deliveries;
