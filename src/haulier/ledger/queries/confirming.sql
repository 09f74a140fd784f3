-- name: count_code :one
-- Count a code to be mailed, unless its user or its address had too many; see functions/count_code.sql.
select * from count_code(:user_id, :address, :of_user, :of_address);

-- name: confirm_channel :one
-- Confirmed, if nobody changed it since `before` was read; no row otherwise.
update channels set confirmed = true, sealed = :sealed, updated_at = haulier_now()
where id = :channel_id and user_id = :user_id and sealed = :before
returning *;

-- name: switch_off_channel :one
-- Disable it for its receiver; see functions/switch_off_channel.sql.
select switch_off_channel(:channel_id, :reason) as found;

-- name: sweep_unconfirmed :exec
-- Remove channels that nobody confirmed within a day.
delete from channels where not confirmed and created_at < haulier_now() - interval '1 day';
