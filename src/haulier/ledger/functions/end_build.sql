-- The attempt that led a build has ended: those who followed it get the same artefact, or go back into line to build it
-- themselves, the first of them from the parts that are there.
--
-- Locks are taken in the order job, build, followers; join_build takes job and build in the same order.
create or replace function end_build() returns trigger language plpgsql as $$
declare
    v_key bytea;
    v_facts jsonb;
    v_follower jobs;
    v_wanted boolean;
begin
    select key into v_key from builds
    where key = new.build_key and leader = new.id and leader_attempt = new.attempt and not finished for update;
    if not found then
        return null;
    end if;
    if new.status = 'completed' then
        update builds set
            finished = true, artefact_key = new.artefact_key, wanted = false, upload_key = null, upload_handle = null,
            touched_at = haulier_now()
        where key = v_key;
        delete from build_parts where key = v_key;
        select facts into v_facts from provenance where job_id = new.id;
        for v_follower in
            select * from jobs where following = v_key and status = 'processing' order by id for no key update
        loop
            perform complete_job(
                v_follower.id, v_follower.attempt, new.artefact_key, new.artefact_name, new.artefact_type,
                new.artefact_size, new.artefact_etag, new.artefact_sha256, v_facts, 'shared', new.files,
                new.file_errors
            );
        end loop;
        return null;
    end if;
    with released as (
        update jobs set
            status = 'queued', reason = 'leader_ended', attempts_used = attempts_used - 1, following = null,
            retry_at = haulier_now(), lease_until = null
        where following = v_key and status = 'processing'
        returning id, attempt
    ), closed as (
        update attempts set ended_at = haulier_now(), outcome = 'handed_back'
        from released where job_id = released.id and number = released.attempt
    )
    select count(*) > 0 into v_wanted from released;
    update builds set wanted = wanted or v_wanted, touched_at = haulier_now() where key = v_key;
    return null;
end $$;

create or replace trigger jobs_end_build after update of status on jobs for each row
    when (old.status = 'processing' and new.status <> 'processing' and new.build_key is not null)
    execute function end_build();
