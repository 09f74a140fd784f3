-- Switch a channel on whose receiver has to agree, unconfirmed with another code or confirmed without, if nobody changed it
-- since `p_before` was read. A code is counted with the change, see count_code.sql: `again_at` says when there may be
-- another, and then nothing is changed. A letter with a code that waits is sent in the place of another one.
create or replace function ask_channel_again(
    p_id uuid, p_user text, p_before bytea, p_sealed bytea, p_confirmed boolean, p_address text, p_of_user integer,
    p_of_address integer, out asked boolean, out again_at timestamptz
) language plpgsql as $$
begin
    perform from channels
    where id = p_id and user_id = p_user and sealed = p_before and (not confirmed or stopped_at is not null)
    for no key update;
    asked := found;
    if asked and not p_confirmed then
        select resets_at into again_at from count_code(p_user, p_address, p_of_user, p_of_address);
        asked := again_at is null;
    end if;
    if not asked then
        return;
    end if;
    update channels set
        sealed = p_sealed, confirmed = p_confirmed, stopped_at = null, disabled_at = null, disabled_reason = null,
        failing_since = null, updated_at = haulier_now()
    where id = p_id;
    if not p_confirmed then
        update deliveries set due_at = haulier_now(), attempts_before = attempts
        where channel_id = p_id and event = 'confirm' and status = 'pending';
        if not found then
            insert into deliveries (id, channel_id, event, at, due_at)
            values (gen_random_uuid(), p_id, 'confirm', haulier_now(), haulier_now());
        end if;
    end if;
end $$;
