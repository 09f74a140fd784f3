-- Channels: where a user wants to hear of outcomes, and the outbox of what is to be told. The row of a delivery is made
-- in the transaction that ends the job, so that no outcome is forgotten.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- target is what may be shown of where a channel leads; sealed holds everything secret, encrypted outside.
create table channels (
    id uuid primary key,
    user_id text not null,
    kind text not null check (kind in ('webhook', 'email', 'push', 'apprise')),
    label text not null default '',
    target text not null,
    sealed bytea not null,
    events text[] not null,
    every_job boolean not null default true, -- false: only jobs that name the channel
    confirmed boolean not null default true,
    failing_since timestamptz, -- the first failed attempt since the last delivered one
    disabled_at timestamptz,
    disabled_reason text,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index channels_of_user on channels (user_id, id);

-- Whom a job's outcome is told: the channels that its requests named, and, when one of them named none, those that hear of
-- every job.
alter table jobs add notify uuid[] not null default '{}', add notify_every boolean not null default true;

-- Tests and redeliveries a user asked for in a minute.
alter table usage drop constraint usage_period_check;
alter table usage add constraint usage_period_check check (period in ('minute', 'day', 'channels'));

-- One row for each event that a channel is to hear of; job_id is null for a test. due_at is when to try (again). attempts
-- numbers them and fences their ends; attempts_before are those before the latest redelivery, with which retries begin anew.
create table deliveries (
    id uuid primary key,
    channel_id uuid not null references channels on delete cascade,
    job_id uuid references jobs on delete cascade,
    job_version integer,
    event text not null,
    at timestamptz not null,
    status text not null default 'pending' check (status in ('pending', 'sending', 'delivered', 'failed', 'unknown')),
    attempts integer not null default 0,
    attempts_before integer not null default 0,
    due_at timestamptz,
    lease_until timestamptz,
    ended_at timestamptz,
    unique (channel_id, job_id, event),
    check ((status = 'pending') = (due_at is not null)),
    check ((status = 'sending') = (lease_until is not null)),
    check ((status in ('delivered', 'failed', 'unknown')) = (ended_at is not null))
);
-- Whether anything is due; and, by channel, the next one of each, however many another channel has waiting.
create index deliveries_due on deliveries (due_at) where status = 'pending';
create index deliveries_waiting on deliveries (channel_id, due_at) where status = 'pending';
create index deliveries_sending on deliveries (channel_id, lease_until) where status = 'sending';
create index deliveries_of_channel on deliveries (channel_id, at desc, id desc);
create index deliveries_of_job on deliveries (job_id);
create index deliveries_to_forget on deliveries (ended_at) where ended_at is not null;

create table delivery_attempts (
    delivery_id uuid not null references deliveries on delete cascade,
    number integer not null check (number > 0),
    at timestamptz not null,
    duration_ms integer,
    outcome text not null check (outcome in ('delivered', 'again', 'failed', 'unknown')),
    answer integer, -- the HTTP or SMTP status, when there was one
    reason text not null default '',
    primary key (delivery_id, number)
);

-- A channel that is being removed at the same time is waited for and passed over (key share): a job's end never fails for it.
create function queue_deliveries() returns trigger language plpgsql as $$
begin
    insert into deliveries (id, channel_id, job_id, job_version, event, at, due_at)
    select gen_random_uuid(), channels.id, new.id, new.version, 'job.' || new.status, new.completed_at, haulier_now()
    from channels
    where channels.user_id = new.user_id and channels.confirmed and channels.disabled_at is null
        and 'job.' || new.status = any (channels.events)
        and (new.notify_every and channels.every_job or channels.id = any (new.notify))
    for key share
    on conflict do nothing;
    return null;
end $$;
create trigger jobs_queue_deliveries after update on jobs for each row
    when (old.status <> new.status and new.status in ('completed', 'failed', 'cancelled'))
    execute function queue_deliveries();
