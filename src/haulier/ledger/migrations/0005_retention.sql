-- Retention and batches: what is over is found by when it may be forgotten, and a batch knows its jobs.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

drop index jobs_to_forget;
create index jobs_to_forget on jobs (greatest(completed_at, artefact_expires_at)) where completed_at is not null;

-- One row for each request for one job a file. job_ids has the jobs in the order of the request, those that were joined
-- as well; jobs.batch_id names the batch that made a job.
create table batches (
    id uuid primary key,
    user_id text not null,
    job_ids uuid[] not null,
    created_at timestamptz not null
);
create index batches_to_forget on batches (created_at);

drop function if exists submit_job;
