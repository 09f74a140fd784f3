-- The fair tag of a user's new job, and handed_at when whoever submits it shall hand it over: there is room in the engine
-- and under the caps, and nobody waits. Keeps the user's row locked, so that the running cap has no races.
--
-- Start-time fair queueing: a job starts where its user's last one ended, but not before what was handed over already.
-- With room, the past is forgotten: being alone costs nothing later.
create or replace function place_in_line(
    p_user text, p_role text, p_running integer, p_role_running integer, p_weight double precision, p_now timestamptz,
    out fair_tag double precision, out handed_at timestamptz
) language plpgsql as $$
#variable_conflict use_column
declare
    v_end double precision;
    v_virtual_time double precision;
    v_room boolean;
begin
    loop
        select users.fair_tag into v_end from users where user_id = p_user for no key update;
        exit when found;
        -- Users without anything are forgotten (forget_users): it may happen between any two statements.
        insert into users (user_id, role) values (p_user, p_role) on conflict (user_id) do nothing;
    end loop;

    -- Written only when it says something new: all submissions of a role would wait for each other.
    if not exists (select from roles where role = p_role and running_cap is not distinct from p_role_running) then
        insert into roles (role, running_cap) values (p_role, p_role_running)
        on conflict (role) do update set running_cap = excluded.running_cap;
    end if;
    if p_role_running is not null then
        perform from roles where role = p_role for no key update;
    end if;
    select virtual_time into v_virtual_time from roles where role = p_role;

    v_room := not exists (
            select from jobs where status = 'queued' and jobs.handed_at is null and retry_at is null
        )
        and (select count(*) from jobs where jobs.handed_at is not null) < engine_window()
        and (p_running is null
            or (select count(*) from jobs where user_id = p_user and jobs.handed_at is not null) < p_running)
        and (p_role_running is null
            or (select count(*) from jobs where role = p_role and jobs.handed_at is not null) < p_role_running);
    handed_at := case when v_room then p_now end;
    fair_tag := case when v_room then v_virtual_time else greatest(v_virtual_time, v_end) end;

    update users set
        role = p_role, running_cap = p_running, fair_tag = place_in_line.fair_tag + 1 / p_weight,
        head_tag = case when v_room then head_tag else least(head_tag, place_in_line.fair_tag) end,
        head_age = case when v_room or head_tag is not null then head_age else line_age() end
    where user_id = p_user;
end $$;
