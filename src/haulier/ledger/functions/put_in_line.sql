-- Put jobs into line whose wait is over: after a backoff, or back from a lost worker, a hand-back, an empty engine.
-- They keep their tags, so they come first among their user's jobs. Users who are busy with something else wait for the
-- next call.
create or replace function put_in_line() returns void language plpgsql as $$
declare
    v_due uuid[];
    v_users text[];
begin
    select array_agg(due.id), array_agg(distinct due.user_id) into v_due, v_users
    from (
        select id, user_id from jobs
        where retry_at <= haulier_now() and status = 'queued' and handed_at is null
        order by retry_at limit 500
    ) due;
    if v_due is null then
        return;
    end if;
    select array_agg(user_id) into v_users
    from (select user_id from users where user_id = any(v_users) for no key update skip locked) locked;

    with ready as (
        update jobs set retry_at = null
        where id = any(v_due) and user_id = any(v_users)
            and status = 'queued' and handed_at is null and retry_at <= haulier_now()
        returning user_id, fair_tag
    )
    update users set
        head_tag = least(head_tag, first.tag),
        head_age = case when head_tag is null then line_age() else head_age end
    from (select user_id, min(fair_tag) as tag from ready group by user_id) first
    where users.user_id = first.user_id;
end $$;
