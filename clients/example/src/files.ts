export interface File {
  id: number
  name: string
}

/** Those of `haulier up --demo`. */
const DEMO: readonly File[] = [
  { id: 70001, name: 'Twelve photos' },
  { id: 70002, name: 'Texts, tables and raw data' },
  { id: 70003, name: 'A table from a slow origin' },
  { id: 70004, name: 'Twenty seconds of nothing' },
  { id: 70005, name: 'Fails twice, then succeeds' },
  { id: 70006, name: 'Readings of a database' },
]

/** `?files=71000,71001` shows files of your own. */
export function filesOf(query: URLSearchParams): readonly File[] {
  const ids = (query.get('files') ?? '').split(',').map(Number).filter(Number.isInteger)
  const own = ids.filter((id) => id > 0).map((id) => ({ id, name: `File ${id}` }))
  return own.length > 0 ? own : DEMO
}
