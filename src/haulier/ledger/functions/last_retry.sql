-- The latest job that took the place of a failed one: its own retry, or a later retry of the same job. No row: none did.
create or replace function last_retry(p_job uuid, p_retry_of uuid)
returns table (retried_as uuid, retry_status text, retry_retry_of uuid) language sql stable as $$
    select id, status, retry_of from (
        (select id, status, retry_of from jobs where retry_of = p_job order by id desc limit 1)
        union all
        (select id, status, retry_of from jobs where retry_of = p_retry_of and id > p_job order by id desc limit 1)
    ) retries
    order by id desc limit 1
$$;
