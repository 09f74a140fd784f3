-- name: join_build :one
-- Lead a build, follow its leader, or take what was built; see functions/join_build.sql.
select * from join_build(:key, :job_id, :attempt, :take, :refuse);

-- name: parts_of_build :many
-- The parts that the store has, in order.
select * from build_parts where key = :key order by number;

-- name: keep_upload :one
-- Where the leader's parts go. No row when the attempt does not lead any more.
update builds set upload_key = :upload_key, upload_handle = :upload_handle, touched_at = haulier_now()
where key = :key and leader = :job_id and leader_attempt = :attempt and not finished
returning key;

-- name: record_parts :many
-- Parts that the store has for certain, with the place from which another attempt can go on. Only the leader's count.
with led as (
    update builds set touched_at = haulier_now()
    where key = :key and leader = :job_id and leader_attempt = :attempt and not finished
    returning key
)
insert into build_parts (key, number, size, etag, digest, mark_offset, mark, log)
select led.key, part.number, part.size, part.etag, part.digest, part.mark_offset, part.mark::jsonb, part.log
from led, unnest(
    :numbers::integer[], :sizes::bigint[], :etags::text[], :digests::bytea[], :mark_offsets::bigint[], :marks::text[],
    :logs::bytea[]
) as part (number, size, etag, digest, mark_offset, mark, log)
on conflict (key, number) do update set
    size = excluded.size, etag = excluded.etag, digest = excluded.digest, mark_offset = excluded.mark_offset,
    mark = excluded.mark, log = excluded.log
returning number;

-- name: restart_build :one
-- Forget what was stored: the leader starts over.
with forgotten as (
    delete from build_parts using builds
    where build_parts.key = :key and builds.key = :key and leader = :job_id and leader_attempt = :attempt
)
update builds set upload_key = null, upload_handle = null
where key = :key and leader = :job_id and leader_attempt = :attempt and not finished
returning key;

-- name: release_build :one
-- Give a build up whose leader is over without an artefact, unless others want it; its upload is the caller's to abort.
delete from builds using jobs
where builds.key = :key and leader = :job_id and leader_attempt = :attempt and not finished and not wanted
    and jobs.id = leader and jobs.status in ('failed', 'cancelled')
returning upload_key, upload_handle;
