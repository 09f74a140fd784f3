import { useDownloads } from '@haulier/react'

/** Everything that was asked for, live. */
export function History() {
  const { jobs, isReady, error, connection } = useDownloads({ limit: 10 })
  const waits = connection === 'offline' ? 'No connection.' : 'Loading…'
  return (
    <section aria-labelledby="history">
      <h2 id="history">What you asked for</h2>
      {error && <p>{error.message}</p>}
      {!isReady && !error && <p>{waits}</p>}
      {isReady && jobs.length === 0 && <p>Nothing yet.</p>}
      <ol className="history">
        {jobs.map((job) => (
          <li key={job.job_id}>
            <span>{job.file_name ?? `File ${job.file_id ?? ''}`}</span>
            <span>{job.status === 'processing' ? `${job.progress} %` : job.status}</span>
          </li>
        ))}
      </ol>
    </section>
  )
}
