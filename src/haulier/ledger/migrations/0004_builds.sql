-- Builds: what several jobs may share, what an interrupted attempt leaves for the next one, and what was built from what.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- keep_for is how long this job's user keeps the artefact. build_key is the build that the running attempt leads,
-- following the one whose end it waits for. files is the state of each file of a batch, one letter a file
-- (p pending, i included, m missing), file_errors why some are missing (index to code and message).
alter table jobs
    add keep_for interval not null default interval '1 day',
    add build_key bytea,
    add following bytea,
    add batch_id uuid,
    add files text not null default '',
    add file_errors jsonb;
create index jobs_following on jobs (following) where status = 'processing' and following is not null;
create index jobs_by_artefact on jobs (artefact_key) where status = 'completed' and not artefact_expired;
create index jobs_of_batch on jobs (batch_id, id) where batch_id is not null;
create index jobs_to_forget on jobs (completed_at) where completed_at is not null;
create index job_events_to_forget on job_events (at);

-- One row for each thing that is being built or can be reused, by the digest of its recipe and its sources' versions.
create table builds (
    key bytea primary key check (octet_length(key) = 32),
    leader uuid not null,
    leader_attempt integer not null,
    touched_at timestamptz not null,
    -- A leader went away and others still want it: who comes next goes on from its parts.
    wanted boolean not null default false,
    upload_key text,
    upload_handle text,
    finished boolean not null default false,
    artefact_key text,
    check (finished = (artefact_key is not null)),
    check ((upload_key is null) = (upload_handle is null))
);
create index builds_to_sweep on builds (touched_at);
create index builds_by_leader on builds (leader);

-- Parts of a build's artefact that the store has: digest is the state of SHA-256 behind it, mark the preparer's place.
create table build_parts (
    key bytea not null references builds on delete cascade,
    number integer not null check (number > 0),
    size bigint not null check (size > 0),
    etag text not null,
    digest bytea not null,
    mark_offset bigint not null,
    mark jsonb not null,
    log bytea not null,
    primary key (key, number)
);

-- A job that took the artefact of another one's build says nothing about how long such files take.
alter table attempts drop constraint attempts_outcome_check, add constraint attempts_outcome_check
    check (outcome in ('completed', 'shared', 'failed', 'retried', 'handed_back', 'lost', 'cancelled'));

-- What a completed job's artefact was made of: the facts of its receipt.
create table provenance (
    job_id uuid primary key references jobs on delete cascade,
    facts jsonb not null
);
