import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, it } from 'vitest'

const PAGE = fileURLToPath(new URL('../../../docs/typescript.md', import.meta.url))
const CONFIGURATION = fileURLToPath(new URL('../tsconfig.json', import.meta.url))

/** What an example takes over from those before it. */
const GIVEN = `
declare const HaulierClient: typeof import('@haulier/client').HaulierClient
declare const client: import('@haulier/client').HaulierClient
declare const job_id: string
declare const baseUrl: string
declare const token: string
`

function examples(): string[] {
  const blocks = readFileSync(PAGE, 'utf8').matchAll(/^```ts\n(.*?)^```/gms)
  return [...blocks].map((block) => `${block[1]}export {}\n`)
}

it('the examples of the documentation are right', () => {
  const folder = fileURLToPath(new URL('.', import.meta.url))
  const files = new Map(examples().map((text, index) => [`${folder}example-${index}.ts`, text]))
  expect(files.size).toBeGreaterThan(4)
  files.set(`${folder}given.d.ts`, GIVEN)
  const read = ts.readConfigFile(CONFIGURATION, (path) => ts.sys.readFile(path))
  const { options } = ts.parseJsonConfigFileContent(read.config, ts.sys, fileURLToPath(new URL('..', import.meta.url)))
  options.paths = { '@haulier/client': [fileURLToPath(new URL('../src/index.ts', import.meta.url))] }
  options.noUnusedLocals = false
  const host = ts.createCompilerHost(options)
  const plain = { ...host }
  host.fileExists = (path) => files.has(path) || plain.fileExists(path)
  host.readFile = (path) => files.get(path) ?? plain.readFile(path)
  host.getSourceFile = (path, target, ...more) => {
    const text = files.get(path)
    return text === undefined ? plain.getSourceFile(path, target, ...more) : ts.createSourceFile(path, text, target)
  }
  const program = ts.createProgram([...files.keys()], options, host)
  const wrong = ts
    .getPreEmitDiagnostics(program)
    .map((each) => `${each.file?.fileName.split('/').pop()}: ${ts.flattenDiagnosticMessageText(each.messageText, '\n')}`)
  expect(wrong).toEqual([])
}, 30_000)
