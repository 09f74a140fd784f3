-- name: confirm_channel :one
-- Confirmed, if nobody changed it or switched it off since `before` was read; no row otherwise. Its receiver, who wanted no
-- more once, wants to be written to again.
with confirmed as (
    update channels set confirmed = true, sealed = :sealed, updated_at = haulier_now()
    where id = :channel_id and user_id = :user_id and sealed = :before and disabled_at is null and stopped_at is null
    returning *
), willing as (
    delete from usage where user_id = :address and period = 'stopped' and exists (select from confirmed)
)
select * from confirmed;

-- name: ask_channel_again :one
-- Switch it on with another code, and count that; see functions/ask_channel_again.sql.
select * from ask_channel_again(
    :channel_id, :user_id, :before, :sealed, :confirmed, :address, :of_user, :of_address
);

-- name: channel_of_anybody :one
-- A channel, whosever it is.
select * from channels where id = :channel_id;

-- name: switch_off_channel :one
-- Disable it for its receiver; see functions/switch_off_channel.sql.
select switch_off_channel(:channel_id, :reason, :address) as found;

-- name: sweep_unconfirmed :exec
-- Remove channels that nobody confirmed within a day. One that its receiver switched off stays for its owner to see.
delete from channels where not confirmed and updated_at < haulier_now() - interval '1 day' and stopped_at is null;
