-- Channels of one user that lead to one place are known by a keyed hash, since where they lead is sealed.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

alter table channels add column fingerprint bytea; -- null: any number may lead there, or no worker has looked at it yet
