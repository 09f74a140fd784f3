-- Cancel what is not over of the jobs that a batch made; those that it joined are somebody else's. The cancelled ones.
create or replace function cancel_batch(p_batch uuid) returns setof jobs language plpgsql as $$
declare
    v_job record;
begin
    for v_job in
        select id from jobs where batch_id = p_batch and status in ('queued', 'processing') order by id
    loop
        return query select * from cancel_job(v_job.id, null);
    end loop;
end $$;
