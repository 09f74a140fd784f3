import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { blocks, diagnostics } from '../../testing/examples.js'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** What an example takes over from those before it. */
const GIVEN = `
declare const HaulierClient: typeof import('@haulier/client').HaulierClient
declare const client: import('@haulier/client').HaulierClient
declare const job_id: string
declare const baseUrl: string
declare const token: string
`

it('the examples of the documentation are right', () => {
  const examples = blocks([here('../../../docs/typescript.md')], 'ts')
  const files = new Map(examples.map((text, index) => [here(`example-${index}.ts`), `${text}export {}\n`]))
  expect(files.size).toBeGreaterThan(4)
  files.set(here('given.d.ts'), GIVEN)
  const paths = { '@haulier/client': [here('../src/index.ts')] }
  expect(diagnostics(files, here('../tsconfig.json'), { paths, noUnusedLocals: false })).toEqual([])
}, 30_000)
