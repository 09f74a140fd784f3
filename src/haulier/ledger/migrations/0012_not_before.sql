-- Receivers that ask for a pause get it for all that waits for them.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

alter table channels add column not_before timestamptz; -- until then nothing is sent to it
