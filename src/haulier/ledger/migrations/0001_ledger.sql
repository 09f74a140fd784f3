-- The ledger: users, jobs, attempts, idempotency, usage, events, workers.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- The one clock that decides about leases, limits and retries. Tests put another function in its place.
create function haulier_now() returns timestamptz language sql stable parallel safe as $$ select now() $$;

-- A user's place in the fair order: the virtual time at which their latest job ends (jobs.fair_tag: starts).
create table users (
    user_id text primary key check (length(user_id) between 1 and 255),
    fair_tag double precision not null default 0
);
create index users_by_fair_tag on users (fair_tag);

-- The statuses a job may pass through; haulier.job.TRANSITIONS is the same table and a test compares them.
create table job_transitions (
    before text not null,
    after text not null,
    primary key (before, after)
);
insert into job_transitions values
    ('queued', 'processing'),
    ('processing', 'queued'),
    ('processing', 'completed'),
    ('processing', 'failed'),
    ('queued', 'cancelled'),
    ('processing', 'cancelled');

create table jobs (
    id uuid primary key,
    user_id text not null references users,
    role text not null,
    request jsonb not null check (jsonb_typeof(request) = 'object'),
    preparer text not null,
    status text not null default 'queued'
        check (status in ('queued', 'processing', 'completed', 'failed', 'cancelled')),
    reason text not null default 'submitted',
    version integer not null default 1 check (version > 0),
    -- attempt is the fencing number and only grows; attempts_used is what counts against max_attempts.
    attempt integer not null default 0 check (attempt >= 0),
    attempts_used integer not null default 0 check (attempts_used between 0 and attempt),
    max_attempts integer not null check (max_attempts > 0),
    fair_tag double precision not null,
    running_cap integer check (running_cap > 0),
    -- handed_at is set while the engine holds the job, from hand-over to the end of the attempt.
    handover integer not null default 0 check (handover >= 0),
    handed_at timestamptz,
    retry_at timestamptz,
    worker text,
    lease_until timestamptz,
    checkpoint jsonb,
    stage text not null default '',
    done_bytes bigint not null default 0 check (done_bytes >= 0),
    total_bytes bigint check (total_bytes >= 0),
    percent smallint not null default 0 check (percent between 0 and 100),
    artefact_key text,
    artefact_name text,
    artefact_type text,
    artefact_size bigint check (artefact_size >= 0),
    artefact_etag text,
    artefact_sha256 text check (artefact_sha256 ~ '^[0-9a-f]{64}$'),
    artefact_expires_at timestamptz,
    artefact_expired boolean not null default false,
    error_code text,
    error_message text,
    retry_of uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    started_at timestamptz,
    completed_at timestamptz,
    check ((status = 'completed') = (artefact_key is not null)),
    check ((status = 'failed') = (error_code is not null)),
    check ((status = 'processing') = (lease_until is not null)),
    check ((status in ('completed', 'failed', 'cancelled')) = (completed_at is not null)),
    check (status in ('queued', 'processing') or handed_at is null)
) with (fillfactor = 70); -- room for the updates of progress on the same page

create index jobs_backlog on jobs (fair_tag, id) where status = 'queued' and handed_at is null;
create index jobs_backlog_by_user on jobs (user_id, fair_tag, id) where status = 'queued' and handed_at is null;
create index jobs_backing_off on jobs (retry_at) where retry_at is not null;
create index jobs_in_engine on jobs (user_id, handed_at) where handed_at is not null;
create index jobs_processing on jobs (id) where status = 'processing';
create index jobs_by_user on jobs (user_id, id desc);
create index jobs_by_user_and_status on jobs (user_id, status, id desc);
create index jobs_to_expire on jobs (artefact_expires_at) where status = 'completed' and not artefact_expired;

create table attempts (
    job_id uuid not null references jobs on delete cascade,
    number integer not null check (number > 0),
    worker text not null,
    preparer text not null,
    started_at timestamptz not null,
    ended_at timestamptz,
    outcome text check (outcome in ('completed', 'failed', 'retried', 'handed_back', 'lost', 'cancelled')),
    error_code text,
    error_message text,
    size_bytes bigint check (size_bytes >= 0),
    primary key (job_id, number),
    check ((ended_at is null) = (outcome is null))
);
create index attempts_history on attempts (ended_at desc) where outcome = 'completed';

-- One row for each key a user has sent, or for each request without a key.
create table idempotency (
    user_id text not null,
    key text not null check (length(key) between 1 and 300),
    request_hash bytea not null check (octet_length(request_hash) = 32),
    job_id uuid not null,
    expires_at timestamptz not null,
    primary key (user_id, key)
);
create index idempotency_to_sweep on idempotency (expires_at);

-- What a user has used of the current minute and the current day; one row each, reset in place.
create table usage (
    user_id text not null,
    period text not null check (period in ('minute', 'day')),
    starts_at timestamptz not null,
    used integer not null check (used > 0),
    primary key (user_id, period)
);

create table job_events (
    id bigint generated always as identity primary key,
    job_id uuid not null,
    version integer not null,
    at timestamptz not null,
    status text not null,
    reason text not null,
    attempt integer not null,
    worker text,
    error_code text,
    unique (job_id, version)
);

create table workers (
    name text primary key,
    slots integer not null check (slots >= 0),
    seen_at timestamptz not null
);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'job_events is append-only' using errcode = 'integrity_constraint_violation';
end $$;
create trigger job_events_append_only before update on job_events for each row execute function refuse_change();

create function record_event(job jobs) returns void language sql as $$
    insert into job_events (job_id, version, at, status, reason, attempt, worker, error_code)
    values (job.id, job.version, job.updated_at, job.status, job.reason, job.attempt, job.worker, job.error_code)
$$;

-- The one transition function: refuses what job_transitions does not list, numbers versions, appends the event.
create function follow_transitions() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        perform record_event(new);
        return new;
    end if;
    if new.status <> old.status
        and not exists (select from job_transitions where before = old.status and after = new.status) then
        raise exception 'a % job does not become %', old.status, new.status
            using errcode = 'integrity_constraint_violation';
    end if;
    if old.status in ('completed', 'failed', 'cancelled')
        and (to_jsonb(new) - array['artefact_expired', 'reason', 'updated_at', 'version'])
            is distinct from (to_jsonb(old) - array['artefact_expired', 'reason', 'updated_at', 'version']) then
        raise exception 'a % job does not change', old.status using errcode = 'integrity_constraint_violation';
    end if;
    if (new.status, new.attempt, new.stage, new.done_bytes, new.total_bytes, new.percent, new.retry_at, new.artefact_expired)
        is distinct from
        (old.status, old.attempt, old.stage, old.done_bytes, old.total_bytes, old.percent, old.retry_at, old.artefact_expired) then
        new.version := old.version + 1;
        new.updated_at := haulier_now();
    end if;
    if new.status <> old.status or new.artefact_expired <> old.artefact_expired then
        perform record_event(new);
    end if;
    return new;
end $$;
create trigger jobs_follow_transitions before insert or update on jobs
    for each row execute function follow_transitions();
