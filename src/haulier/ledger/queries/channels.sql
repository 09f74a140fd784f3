-- name: add_channel :one
-- Add a channel, or say why not; see functions/add_channel.sql.
select * from add_channel(
    :id, :user_id, :kind, :label, :target, :sealed, :events::text[], :every_job, :confirmed, :most,
    :fingerprints::bytea[], :code_to, :of_user, :of_address
);

-- name: channels_of_user :many
-- A user's channels, the oldest first.
select * from channels where user_id = :user_id order by created_at, id;

-- name: channel_of_user :one
-- One of them.
select * from channels where id = :channel_id and user_id = :user_id;

-- name: change_channel :one
-- Change it, if nobody did since `before` was read; no row otherwise. Another receiver has asked for no pause.
update channels set
    label = :label, target = :target, sealed = :sealed, events = :events::text[], every_job = :every_job,
    not_before = case when not :elsewhere::boolean then not_before end, updated_at = haulier_now()
where id = :channel_id and user_id = :user_id and sealed = :before
returning *;

-- name: channels_sealed_otherwise :many
-- Channels whose secrets do not begin with `mark`, or whose place has no fingerprint yet, by id behind `after`.
select id, user_id, kind, sealed from channels
where (substring(sealed for octet_length(:mark::bytea)) <> :mark or fingerprint is null and kind <> 'webhook')
    and id > :after
order by id limit :most;

-- name: reseal_channel :exec
-- Keep the same secrets sealed with another key, if nobody changed them since, and where they lead by its fingerprint.
update channels set sealed = :sealed, fingerprint = :fingerprint where id = :channel_id and sealed = :before;

-- name: enable_channel :one
-- Deliver to it again, if its receiver agrees; what was not delivered meanwhile is not made up for.
update channels set
    disabled_at = null, disabled_reason = null, failing_since = null, not_before = null, updated_at = haulier_now()
where id = :channel_id and user_id = :user_id and confirmed and stopped_at is null
returning *;

-- name: remove_channel :one
-- Remove it with its deliveries.
delete from channels where id = :channel_id and user_id = :user_id returning id;

-- name: owned_channels :many
-- Which of these channels are the user's, and whether nothing is delivered to them.
select id, disabled_at is not null or stopped_at is not null as is_off from channels
where id = any(:channel_ids::uuid[]) and user_id = :user_id;

-- name: count_sending :one
-- Count a test or a redelivery against what a user may ask for in a minute.
select * from count_rate(:user_id, :rate, 'channels');
