-- The slots of the workers seen in the last 30 seconds.
create or replace function fleet_slots() returns bigint language sql stable as $$
    select coalesce(sum(slots), 0) from workers where seen_at > haulier_now() - interval '30 seconds'
$$;

-- A role that waits gets at least one of this many hand-overs.
create or replace function hand_overs_a_turn() returns integer language sql immutable as $$ select 8 $$;

-- Now, as users age in line: one job's worth of a tag every five minutes.
create or replace function line_age() returns double precision language sql stable as $$
    select (extract(epoch from haulier_now()) / 300)::double precision
$$;

-- How many jobs the engine may hold: one for each slot and a quarter more, at least two, so that a slot that becomes free
-- finds the next job there. What waits in the engine is past its turn and counts against its user's running cap.
create or replace function engine_window() returns bigint language sql stable as $$
    select case when slots > 0 then slots + greatest(2, slots / 4) else 0 end from fleet_slots() slots
$$;
