-- name: provenance_of_job :one
-- What a job's artefact was made of; no row for jobs that have none, or were completed before it was kept.
select facts from provenance where job_id = :job_id;

-- name: keep_provenance :exec
-- Keep what a job's artefact was made of; what is there already stays.
insert into provenance (job_id, facts) values (:job_id, :facts) on conflict (job_id) do nothing;
