-- Add a channel; no row when its user has `p_most` already, or there is one with this id.
create or replace function add_channel(
    p_id uuid, p_user text, p_kind text, p_label text, p_target text, p_sealed bytea, p_events text[], p_every boolean,
    p_confirmed boolean, p_most integer
) returns setof channels language plpgsql as $$
begin
    -- One at a time for each user, so that the count is true.
    perform pg_advisory_xact_lock(hashtextextended('channels of ' || p_user, 0));
    return query
        insert into channels (
            id, user_id, kind, label, target, sealed, events, every_job, confirmed, created_at, updated_at
        )
        select
            p_id, p_user, p_kind, p_label, p_target, p_sealed, p_events, p_every, p_confirmed, haulier_now(), haulier_now()
        where (select count(*) from channels where user_id = p_user) < p_most
        on conflict do nothing
        returning *;
end $$;
