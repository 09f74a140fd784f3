// @vitest-environment node
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))
const PAGES = ['../../../docs/react.md', '../README.md'].map((path) => fileURLToPath(new URL(path, import.meta.url)))
const CONFIGURATION = fileURLToPath(new URL('../tsconfig.json', import.meta.url))

function examples(): string[] {
  const blocks = PAGES.flatMap((page) => [...readFileSync(page, 'utf8').matchAll(/^```tsx\n(.*?)^```/gms)])
  return blocks.map((block) => block[1] as string)
}

test('the examples of the documentation are right', () => {
  const files = new Map(examples().map((text, index) => [`${FOLDER}example-${index}.tsx`, text]))
  expect(files.size).toBeGreaterThan(4)
  files.set(`${FOLDER}given.d.ts`, "declare module '*.css'")
  const read = ts.readConfigFile(CONFIGURATION, (path) => ts.sys.readFile(path))
  const { options } = ts.parseJsonConfigFileContent(read.config, ts.sys, fileURLToPath(new URL('..', import.meta.url)))
  options.paths = { '@haulier/react': [fileURLToPath(new URL('../src/index.ts', import.meta.url))] }
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
