-- Channels that have to be confirmed: the code is queued as a delivery by the transaction that adds the channel.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- Codes that a user had mailed in a day ('codes'), and codes mailed to one address whoever asked ('address', by a hash).
alter table usage drop constraint usage_period_check;
alter table usage add constraint usage_period_check
    check (period in ('minute', 'day', 'channels', 'codes', 'address'));

create function queue_confirmation() returns trigger language plpgsql as $$
begin
    insert into deliveries (id, channel_id, event, at, due_at)
    values (gen_random_uuid(), new.id, 'confirm', haulier_now(), haulier_now());
    return null;
end $$;
create trigger channels_queue_confirmation after insert on channels for each row
    when (not new.confirmed)
    execute function queue_confirmation();

create index channels_unconfirmed on channels (created_at) where not confirmed;
