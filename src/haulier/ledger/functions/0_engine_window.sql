-- How many jobs the engine may hold: two for each slot of the workers seen in the last 30 seconds.
create or replace function engine_window() returns bigint language sql stable as $$
    select 2 * coalesce(sum(slots), 0) from workers where seen_at > haulier_now() - interval '30 seconds'
$$;
