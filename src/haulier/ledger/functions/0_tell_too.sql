-- A request joins this job: its outcome is told to whom this request names, too (`p_every`: to the channels that hear of every
-- job). The job as it stands then; one that is over tells nobody any more.
create or replace function tell_too(p_job jobs, p_notify uuid[], p_every boolean) returns jobs language plpgsql as $$
declare
    v_job jobs;
begin
    if p_job.status not in ('queued', 'processing')
        or (p_notify <@ p_job.notify and (p_job.notify_every or not p_every)) then
        return p_job;
    end if;
    update jobs set
        notify = array(select distinct named from unnest(notify || p_notify) as named),
        notify_every = notify_every or p_every
    where id = p_job.id and status in ('queued', 'processing')
    returning * into v_job;
    if not found then
        select * into v_job from jobs where id = p_job.id;
    end if;
    return v_job;
end $$;
