-- Remove up to `p_most` users who have no jobs, used nothing of a limit lately and do not stand in line.
--
-- place_in_line locks the user's row before it makes a job: with the lock held, a second look is final.
create or replace function forget_users(p_most integer) returns setof text language plpgsql as $$
declare
    v_users text[];
begin
    select array_agg(user_id) into v_users
    from (
        select user_id from users
        where head_tag is null
            and not exists (select from jobs where jobs.user_id = users.user_id)
            and not exists (select from usage where usage.user_id = users.user_id)
        limit p_most for update skip locked
    ) idle;
    return query
        delete from users
        where user_id = any(v_users) and head_tag is null
            and not exists (select from jobs where jobs.user_id = users.user_id)
        returning user_id;
end $$;
