-- name: claim_deliveries :many
-- Take due deliveries in turn; see functions/claim_deliveries.sql.
select * from claim_deliveries(:most, :lease::interval, :kinds::text[], :of_channel, :of_user, :failing);

-- name: finish_delivery :one
-- Write how an attempt ended; see functions/finish_delivery.sql.
select * from finish_delivery(
    :delivery_id, :attempt, :outcome, :wait::interval, :answer, :reason, :duration_ms, :disable, :failing_for::interval,
    :pause::interval, :counts
);

-- name: hand_back_delivery :one
-- Give back what nothing was sent of; see functions/hand_back_delivery.sql.
select hand_back_delivery(:delivery_id, :attempt, :wait::interval) as kept;

-- name: return_deliveries :one
-- Take back what the workers that are gone were sending; see functions/return_deliveries.sql.
select return_deliveries(null, :repeatable::text[], :most) as returned;

-- name: deliveries_of_channel :many
-- A channel's deliveries, the latest event first; keyset by `before_at` and `before_id`. None is due before the pause is over
-- that the channel's receiver asked for.
select
    deliveries.id, channel_id, job_id, job_version, event, at, status, attempts, attempts_before, ended_at,
    case when status = 'pending' then greatest(due_at, not_before) end as due_at
from deliveries join channels on channels.id = channel_id
where channel_id = :channel_id and (:status::text is null or status = :status)
    and (:before_at::timestamptz is null or (at, deliveries.id) < (:before_at, :before_id::uuid))
order by at desc, deliveries.id desc
limit :count;

-- name: attempts_of_deliveries :many
-- The latest `most` attempts of each of these deliveries, each one's first attempt first.
select tried.*
from unnest(:delivery_ids::uuid[]) as wanted (id)
cross join lateral (
    select * from delivery_attempts where delivery_id = wanted.id order by number desc limit :most
) tried
order by tried.delivery_id, tried.number;

-- name: queue_test :one
-- A delivery of the event `test`; no row when the channel is not the user's, or not on. What its owner asks for is sent
-- at once, whatever pause its receiver wanted.
with is_on as (
    update channels set not_before = null
    where id = :channel_id and user_id = :user_id and confirmed and disabled_at is null and stopped_at is null
    returning id
)
insert into deliveries (id, channel_id, event, at, due_at)
select :id, is_on.id, 'test', haulier_now(), haulier_now() from is_on
returning *;

-- name: delivery_of_user :one
-- A delivery of one of the user's channels.
select deliveries.* from deliveries join channels on channels.id = channel_id
where deliveries.id = :delivery_id and user_id = :user_id;

-- name: redeliver :one
-- Due now, with all retries before it, whatever pause its receiver wanted; one that is being sent stays as it is, and so
-- does one whose channel is not on.
with is_on as (
    update channels set not_before = null from deliveries
    where deliveries.id = :delivery_id and channel_id = channels.id
        and confirmed and disabled_at is null and stopped_at is null
    returning channels.id
)
update deliveries set
    status = 'pending', due_at = haulier_now(), ended_at = null,
    attempts_before = case when status = 'pending' then attempts_before else attempts end
from is_on
where deliveries.id = :delivery_id and channel_id = is_on.id and status <> 'sending'
returning deliveries.*;
