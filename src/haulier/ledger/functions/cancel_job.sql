-- Cancel a queued or processing job of this user (null: of anyone); no row when it is over already or not theirs.
-- A job that still waits gives its quota and its place in line back.
create or replace function cancel_job(p_job uuid, p_user text) returns setof jobs language plpgsql as $$
declare
    v_job jobs;
    v_waited boolean;
begin
    select * into v_job from jobs where id = p_job and (p_user is null or user_id = p_user);
    if not found then
        return;
    end if;
    perform from usage where user_id = v_job.user_id and period = 'day' for no key update;
    perform from users where user_id = v_job.user_id for no key update;
    select status = 'queued' into v_waited from jobs where id = p_job for no key update;

    update jobs set
        status = 'cancelled', reason = 'cancelled', completed_at = haulier_now(),
        lease_until = null, handed_at = null, retry_at = null
    where id = p_job and status in ('queued', 'processing')
    returning * into v_job;
    if not found then
        return;
    end if;
    update attempts set ended_at = haulier_now(), outcome = 'cancelled' where job_id = p_job and ended_at is null;
    if v_waited then
        update usage set used = used - 1
        where user_id = v_job.user_id and period = 'day' and starts_at = v_job.quota_day and used > 0;
        update users set fair_tag = fair_tag - 1 / v_job.weight where user_id = v_job.user_id;
    end if;
    return next v_job;
end $$;
