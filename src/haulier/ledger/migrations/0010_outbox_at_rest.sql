-- Nothing is claimed from here until functions/claim_deliveries.sql is applied again: a claim that begins now would still
-- answer rows of before after 0011 has changed what a row is, and whoever claimed them could not read them. What it is said
-- to answer stays, whichever version it is of.
set local lock_timeout = '5s';
set local statement_timeout = '60s';

do $$
begin
    execute format(
        'create or replace function claim_deliveries(
            p_most integer, p_lease interval, p_kinds text[], p_of_channel integer, p_of_user integer
        ) returns %s language plpgsql as ''begin return; end''',
        pg_get_function_result('claim_deliveries(integer, interval, text[], integer, integer)'::regprocedure)
    );
end $$;
