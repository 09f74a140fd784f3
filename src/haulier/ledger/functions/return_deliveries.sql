-- Take back deliveries whose worker is gone: again for kinds that may be sent twice (until `p_most` attempts), else nobody
-- will ever know. How many. Of all kinds, also of those that no worker sends any more; `p_kinds` is what workers of before
-- ask with.
create or replace function return_deliveries(p_kinds text[], p_repeatable text[], p_most integer)
returns bigint language sql as $$
    with lost as (
        select deliveries.id, attempts, case
            when channels.kind <> all(p_repeatable) then 'unknown'
            when attempts - attempts_before < p_most then 'again'
            else 'failed'
        end as outcome
        from deliveries join channels on channels.id = channel_id
        where status = 'sending' and lease_until < haulier_now()
        for update of deliveries skip locked
    ), noted as (
        insert into delivery_attempts (delivery_id, number, at, outcome, reason)
        select id, attempts, haulier_now(), outcome, 'the worker that sent it stopped' from lost
    ), returned as (
        update deliveries set
            status = case when outcome = 'again' then 'pending' else outcome end,
            due_at = case when outcome = 'again' then haulier_now() end,
            ended_at = case when outcome <> 'again' then haulier_now() end,
            lease_until = null
        from lost where deliveries.id = lost.id
        returning deliveries.id
    )
    select count(*) from returned
$$;
