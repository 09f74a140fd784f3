import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { diagnostics } from '../../testing/examples.js'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

it('its types need no DOM library, as Node has none', () => {
  const declared = new Map<string, string>()
  const read = ts.readConfigFile(here('../tsconfig.build.json'), (path) => ts.sys.readFile(path))
  const { options } = ts.parseJsonConfigFileContent(read.config, ts.sys, here('..'))
  const program = ts.createProgram([here('../src/index.ts')], { ...options, outDir: here('./declared') })
  program.emit(undefined, (path, text) => declared.set(path, text))
  expect(declared.size).toBeGreaterThan(10)
  const node = { lib: ['lib.es2022.d.ts'], types: ['node'], skipLibCheck: false }
  expect(diagnostics(declared, here('../tsconfig.json'), node)).toEqual([])
}, 30_000)
