// @vitest-environment node
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { blocks, diagnostics } from '../../testing/examples.js'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

test('the examples of the documentation are right', () => {
  const examples = blocks([here('../../../docs/react.md'), here('../README.md')], 'tsx')
  const files = new Map(examples.map((text, index) => [here(`example-${index}.tsx`), text]))
  expect(files.size).toBeGreaterThan(4)
  files.set(here('given.d.ts'), "declare module '*.css'")
  const paths = { '@haulier/react': [here('../src/index.ts')] }
  expect(diagnostics(files, here('../tsconfig.json'), { paths })).toEqual([])
}, 30_000)
