-- Mark the next jobs as handed over, as far as the engine's window and the running caps allow; first the first in turn.
--
-- Looks at no more users and jobs than it can take, so that it costs the same at any depth of the backlog. A role that
-- waits gets one of hand_overs_a_turn() hand-overs at least, whatever the weights say.
create or replace function take_for_hand_over(p_most bigint)
returns table (id uuid, handover integer) language plpgsql as $$
#variable_conflict use_column
declare
    v_room bigint;
    v_users text[];
    v_taken uuid[];
begin
    perform put_in_line();
    perform from roles order by role for no key update; -- one at a time, and no direct hand-over under a role's cap

    v_room := least(p_most, engine_window() - (select count(*) from jobs where handed_at is not null));
    if v_room <= 0 then
        return;
    end if;

    select array_agg(candidate.user_id) into v_users
    from roles
    cross join lateral (
        select user_id from users
        where users.role = roles.role and head_tag is not null and (running_cap is null or running_cap > (
            select count(*) from jobs where jobs.user_id = users.user_id and handed_at is not null
        ))
        order by turn limit v_room for no key update skip locked
    ) candidate;

    -- A statement of its own: it sees all that was committed before the locks were had.
    with room_of_role as (
        select role, passed_over, greatest(0, least(v_room, running_cap - (
            select count(*) from jobs where jobs.role = roles.role and handed_at is not null
        ))) as room
        from roles
    ), candidate as (
        select first.id, role, passed_over, room, head_age + first.fair_tag as turn,
            row_number() over (partition by role order by head_age + first.fair_tag, first.id) as nth_of_role
        from users
        join room_of_role using (role)
        cross join lateral (
            select jobs.id, jobs.fair_tag from jobs
            where jobs.user_id = users.user_id and status = 'queued' and handed_at is null and retry_at is null
            order by jobs.fair_tag, jobs.id
            limit greatest(0, least(room, running_cap - (
                select count(*) from jobs held where held.user_id = users.user_id and held.handed_at is not null
            )))
        ) first
        where user_id = any(v_users)
    ), next as (
        select candidate.id, role, row_number() over (
            order by (nth_of_role <= (passed_over + v_room) / hand_overs_a_turn()) desc, turn, candidate.id
        ) as nth
        from candidate where nth_of_role <= room
        order by nth limit v_room
    ), taken as (
        -- The role of today, whose room the job takes, though it may have been submitted under another.
        update jobs set handover = jobs.handover + 1, handed_at = haulier_now(), role = next.role
        from next where jobs.id = next.id and jobs.status = 'queued' and jobs.handed_at is null
        returning jobs.id, nth
    )
    select array_agg(taken.id order by nth) into v_taken from taken;

    perform follow_turns(v_users, v_taken);
    return query
        select jobs.id, jobs.handover
        from unnest(v_taken) with ordinality as taken (id, nth) join jobs on jobs.id = taken.id
        order by nth;
end $$;
