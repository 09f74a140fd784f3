-- A running attempt wants the artefact of a build. outcome:
--   leading    it builds; upload_key and upload_handle are those of an earlier attempt to go on with, if there was one
--   following  another attempt builds: the job waits without a worker for that one's end (see end_build)
--   exists     it was built already: look whether the store still has artefact_key, and call again with p_take or p_refuse
--   shared     the artefact of p_take has completed the job
--   lost       the attempt no longer owns its job
create or replace function join_build(
    p_key bytea, p_job uuid, p_attempt integer, p_take text default null, p_refuse text default null
) returns table (
    outcome text, upload_key text, upload_handle text, artefact_key text, artefact_name text, artefact_type text,
    artefact_size bigint, artefact_etag text, artefact_sha256 text
) language plpgsql as $$
#variable_conflict use_column
declare
    v_build builds;
    v_leader jobs;
    v_made jobs;
begin
    perform from jobs where id = p_job and attempt = p_attempt and status = 'processing' for no key update;
    if not found then
        return query select 'lost', null, null, null, null, null, null::bigint, null, null;
        return;
    end if;
    insert into builds as b (key, leader, leader_attempt, touched_at) values (p_key, p_job, p_attempt, haulier_now())
    on conflict (key) do update set touched_at = haulier_now()
    returning * into v_build;

    if v_build.finished then
        -- A job of this very build: objects that are published as they are may have other names in other builds.
        select * into v_made from jobs
        where jobs.artefact_key = v_build.artefact_key and status = 'completed' and not artefact_expired
            and artefact_expires_at > haulier_now() and p_key in (build_key, following)
        order by artefact_expires_at desc limit 1;
        if found and v_made.artefact_key = p_take then
            update jobs set build_key = p_key where id = p_job;
            perform complete_job(
                p_job, p_attempt, v_made.artefact_key, v_made.artefact_name, v_made.artefact_type, v_made.artefact_size,
                v_made.artefact_etag, v_made.artefact_sha256,
                (select facts from provenance where job_id = v_made.id), 'shared', v_made.files, v_made.file_errors
            );
        end if;
        if found and v_made.artefact_key is distinct from p_refuse then
            return query select
                case when v_made.artefact_key = p_take then 'shared' else 'exists' end, null, null,
                v_made.artefact_key, v_made.artefact_name, v_made.artefact_type, v_made.artefact_size,
                v_made.artefact_etag, v_made.artefact_sha256;
            return;
        end if;
        update builds set finished = false, artefact_key = null where key = p_key;
    else
        select * into v_leader from jobs
        where id = v_build.leader and attempt = v_build.leader_attempt and status = 'processing'
            and build_key = p_key and id <> p_job;
        if found then
            update jobs set
                following = p_key, worker = null, handed_at = null, lease_until = 'infinity', stage = v_leader.stage,
                done_bytes = v_leader.done_bytes, total_bytes = v_leader.total_bytes, percent = v_leader.percent
            where id = p_job;
            return query select 'following', null, null, null, null, null, null::bigint, null, null;
            return;
        end if;
    end if;
    update builds set leader = p_job, leader_attempt = p_attempt, wanted = false where key = p_key;
    update jobs set build_key = p_key where id = p_job;
    return query select
        'leading', v_build.upload_key, v_build.upload_handle, null, null, null, null::bigint, null, null;
end $$;
