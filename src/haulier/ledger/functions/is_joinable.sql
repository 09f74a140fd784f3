-- Whether a request without a key of its own joins this job of its user, made by an equal request (p_expires_at: when the
-- hour ends in which the same file is the same job): while it is alive, and within the hour while its file is.
create or replace function is_joinable(p_job jobs, p_expires_at timestamptz) returns boolean language sql stable as $$
    select coalesce(p_job.status in ('queued', 'processing') or (
        p_job.status = 'completed' and not p_job.artefact_expired
        and p_job.artefact_expires_at > haulier_now() and p_expires_at > haulier_now()
    ), false)
$$;
