-- name: count_code :one
-- Count a code to be mailed, unless its user or its address had too many; see functions/count_code.sql.
select * from count_code(:user_id, :address, :of_user, :of_address);

-- name: confirm_channel :one
-- Confirmed, if nobody changed it or switched it off since `before` was read; no row otherwise.
update channels set confirmed = true, sealed = :sealed, updated_at = haulier_now()
where id = :channel_id and user_id = :user_id and sealed = :before and disabled_at is null
    and stopped_at is null
returning *;

-- name: ask_channel_again :one
-- Switch it on, unconfirmed with another code or confirmed without, if its receiver has to agree and nobody changed it since
-- `before` was read; no row otherwise.
with asked as (
    update channels set
        sealed = :sealed, confirmed = :confirmed, stopped_at = null, disabled_at = null, disabled_reason = null,
        failing_since = null, updated_at = haulier_now()
    where id = :channel_id and user_id = :user_id and sealed = :before
        and (not confirmed or stopped_at is not null)
    returning *
), queued as (
    insert into deliveries (id, channel_id, event, at, due_at)
    select gen_random_uuid(), id, 'confirm', haulier_now(), haulier_now() from asked where not confirmed
)
select * from asked;

-- name: channel_of_anybody :one
-- A channel, whosever it is.
select * from channels where id = :channel_id;

-- name: switch_off_channel :one
-- Disable it for its receiver; see functions/switch_off_channel.sql.
select switch_off_channel(:channel_id, :reason) as found;

-- name: sweep_unconfirmed :exec
-- Remove channels that nobody confirmed within a day. One that its receiver switched off stays for its owner to see.
delete from channels where not confirmed and updated_at < haulier_now() - interval '1 day' and stopped_at is null;
