-- Make an artefact the job's, while this attempt owns it: the moment it becomes visible. No row when it was lost.
create or replace function complete_job(
    p_job uuid, p_attempt integer, p_key text, p_name text, p_type text, p_size bigint, p_etag text, p_sha256 text,
    p_facts jsonb, p_reason text, p_files text, p_file_errors jsonb
) returns setof jobs language plpgsql as $$
declare
    v_job jobs;
begin
    perform from jobs where id = p_job and attempt = p_attempt and status = 'processing' for no key update;
    if not found then
        return;
    end if;
    -- Before the job's end, at which followers of its build take the same facts.
    insert into provenance (job_id, facts) select p_job, p_facts where p_facts is not null;
    update jobs set
        status = 'completed', reason = p_reason, completed_at = haulier_now(),
        lease_until = null, handed_at = null, checkpoint = null,
        done_bytes = p_size, total_bytes = p_size, percent = 100,
        artefact_key = p_key, artefact_name = p_name, artefact_type = p_type, artefact_size = p_size,
        artefact_etag = p_etag, artefact_sha256 = p_sha256, artefact_expires_at = haulier_now() + keep_for,
        files = p_files, file_errors = p_file_errors
    where id = p_job
    returning * into v_job;
    update attempts set ended_at = haulier_now(), outcome = p_reason, size_bytes = p_size
    where job_id = p_job and number = p_attempt;
    return next v_job;
end $$;
