-- Add a channel, unless its user has `p_most` already, there is one with this id, or one of the same kind leads to the same
-- place (`twin`): that has one of `p_fingerprints`, the first of which is the new one's. A code is counted with the channel
-- that it is for, see count_code.sql: `again_at` says when there may be another, and then nothing is added.
--
-- API processes of before call another one with ten arguments, which databases of before still have.
create or replace function add_channel(
    p_id uuid, p_user text, p_kind text, p_label text, p_target text, p_sealed bytea, p_events text[], p_every boolean,
    p_confirmed boolean, p_most integer, p_fingerprints bytea[], p_code_to text, p_of_user integer, p_of_address integer,
    out added boolean, out twin uuid, out again_at timestamptz
) language plpgsql as $$
begin
    added := false;
    -- One at a time for each user, so that the count is true and there is one of each place.
    perform pg_advisory_xact_lock(hashtextextended('channels of ' || p_user, 0));
    if exists (select from channels where id = p_id) then
        return;
    end if;
    select id into twin from channels
    where user_id = p_user and kind = p_kind and fingerprint = any(p_fingerprints) order by created_at, id limit 1;
    if found or (select count(*) from channels where user_id = p_user) >= p_most then
        return;
    end if;
    if p_code_to is not null then
        select resets_at into again_at from count_code(p_user, p_code_to, p_of_user, p_of_address);
        if again_at is not null then
            return;
        end if;
    end if;
    insert into channels (
        id, user_id, kind, label, target, sealed, events, every_job, confirmed, fingerprint, created_at, updated_at
    )
    values (
        p_id, p_user, p_kind, p_label, p_target, p_sealed, p_events, p_every, p_confirmed, p_fingerprints[1],
        haulier_now(), haulier_now()
    );
    added := true;
end $$;
