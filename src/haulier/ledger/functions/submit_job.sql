-- Admit one request in one statement and one commit: its rate, then all the rest (admit_job).
--
-- outcome: created | joined | mismatch | rate_limited | quota_exceeded. Only created and joined carry a job.
create or replace function submit_job(
    p_id uuid, p_user text, p_role text, p_request jsonb, p_preparer text, p_max_attempts integer, p_retry_of uuid,
    p_key text, p_hash bytea, p_key_is_explicit boolean, p_key_ttl interval,
    p_rate integer, p_quota integer, p_running integer, p_weight double precision, p_role_running integer default null,
    p_keep_for interval default interval '1 day',
    out outcome text, out job jobs,
    out rate_used integer, out rate_resets_at timestamptz, out quota_used integer, out quota_resets_at timestamptz
) language plpgsql as $$
declare
    v_admitted boolean;
    v_answer record;
begin
    select admitted, used, resets_at into v_admitted, rate_used, rate_resets_at from count_rate(p_user, p_rate);
    if not v_admitted then
        outcome := 'rate_limited';
        return;
    end if;
    select * into v_answer from admit_job(
        p_id, p_user, p_role, p_request, p_preparer, p_max_attempts, p_retry_of, null, p_key, p_hash,
        p_key_is_explicit, p_key_ttl, p_quota, null, p_running, p_weight, p_role_running, p_keep_for
    );
    outcome := v_answer.outcome;
    job := v_answer.job;
    quota_used := v_answer.quota_used;
    quota_resets_at := v_answer.quota_resets_at;
end $$;
