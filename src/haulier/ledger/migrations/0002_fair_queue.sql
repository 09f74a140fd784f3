-- The fair queue: who waits is kept with the user, so that picking the next job costs the same at any depth.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

-- What all users of a role may run at once, how far their queue has come (the largest start tag that was handed over),
-- and how many hand-overs went to other roles while this one waited.
create table roles (
    role text primary key,
    running_cap integer check (running_cap > 0),
    virtual_time double precision not null default 0,
    passed_over integer not null default 0
);

-- A user stands in line with their first ready job: head_tag is never above its tag, and null when there is none.
-- turn orders users: the tag, plus one job's worth for each five minutes later that the head came to the front.
alter table users
    add role text not null default 'free',
    add running_cap integer check (running_cap > 0),
    add head_tag double precision,
    add head_age double precision not null default 0,
    add turn double precision generated always as (head_tag + head_age) stored;
drop index users_by_fair_tag;
create index users_in_line on users (role, turn) where head_tag is not null;

-- weight is what a cancelled job gives back of its user's place in line, quota_day the day whose quota counted it.
-- lost counts attempts whose worker stopped answering.
alter table jobs
    drop running_cap,
    add weight double precision not null default 1,
    add quota_day timestamptz,
    add lost integer not null default 0 check (lost >= 0);

alter table usage drop constraint usage_used_check, add constraint usage_used_check check (used >= 0);

-- Ready: queued, not in the engine, and not backing off. What backs off, or comes back from a lost worker, has retry_at
-- and gets into line when it is due.
drop index jobs_backlog, jobs_backlog_by_user;
create index jobs_ready on jobs (fair_tag, id) where status = 'queued' and handed_at is null and retry_at is null;
create index jobs_ready_by_user on jobs (user_id, fair_tag, id)
    where status = 'queued' and handed_at is null and retry_at is null;

update users set role = latest.role
from (select distinct on (user_id) user_id, role from jobs order by user_id, id desc) latest
where users.user_id = latest.user_id;
update users set head_tag = first.tag, head_age = extract(epoch from now()) / 300
from (
    select user_id, min(fair_tag) as tag from jobs
    where status = 'queued' and handed_at is null and retry_at is null group by user_id
) first
where users.user_id = first.user_id;
insert into roles (role, virtual_time)
select users.role, coalesce(max(jobs.fair_tag), 0)
from users left join jobs on jobs.user_id = users.user_id and (jobs.handed_at is not null or jobs.status = 'completed')
group by users.role;

drop function if exists submit_job;
