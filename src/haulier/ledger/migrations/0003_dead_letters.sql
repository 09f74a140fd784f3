-- Dead letters: failed jobs by when and why they failed, and which job took whose place.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

create index jobs_failed on jobs (completed_at desc, id desc) where status = 'failed';
create index jobs_failed_by_code on jobs (error_code, completed_at desc, id desc) where status = 'failed';
create index jobs_retries on jobs (retry_of, id desc) where retry_of is not null;
