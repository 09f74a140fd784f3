-- Live streams: what has ended of a user's jobs since a moment.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

create index jobs_ended_of_user on jobs (user_id, completed_at desc) where completed_at is not null;
