-- After jobs were taken: who stands in line now, how far each role's queue has come, and which role was passed over.
-- The users are locked by the caller; of those without a taken job only a head that is no longer true is put right.
create or replace function follow_turns(p_users text[], p_taken uuid[]) returns void language plpgsql as $$
begin
    update users set
        head_tag = first.tag,
        head_age = case when served then line_age() else head_age end
    from (
        select user_id,
            (
                select min(fair_tag) from jobs
                where jobs.user_id = locked.user_id and status = 'queued' and handed_at is null and retry_at is null
            ) as tag,
            exists (select from jobs where jobs.id = any(p_taken) and jobs.user_id = locked.user_id) as served
        from unnest(p_users) as locked (user_id)
    ) first
    where users.user_id = first.user_id and (served or users.head_tag is distinct from first.tag);

    update roles set
        virtual_time = greatest(virtual_time, taken.tag),
        passed_over = case
            when exists (select from users where users.role = roles.role and head_tag is not null)
            then greatest(0, least(
                hand_overs_a_turn(), passed_over + cardinality(p_taken) - hand_overs_a_turn() * taken.jobs
            ))
            else 0
        end
    from (
        select known.role, count(jobs.id) as jobs, max(jobs.fair_tag) as tag
        from roles known
        left join users on users.user_id = any(p_users) and users.role = known.role
        left join jobs on jobs.user_id = users.user_id and jobs.id = any(p_taken)
        group by known.role
    ) taken
    where roles.role = taken.role and cardinality(p_taken) > 0;
end $$;
