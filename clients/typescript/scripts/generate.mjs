// Makes src/schema.ts from the OpenAPI document of the Python package beside it. Starts no server.
// HAULIER_OPENAPI names a document to use instead, HAULIER_PYTHON the interpreter that has the package.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import openapiTS, { astToString } from 'openapi-typescript'

const target = fileURLToPath(new URL('../src/schema.ts', import.meta.url))
const installed = fileURLToPath(new URL('../../../.venv/bin/python', import.meta.url))

function document() {
  const given = process.env.HAULIER_OPENAPI
  if (given) return readFileSync(given, 'utf8')
  const python = process.env.HAULIER_PYTHON ?? (existsSync(installed) ? installed : 'python3')
  return execFileSync(python, ['-m', 'haulier', 'openapi'], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    timeout: 60_000,
  })
}

const nodes = await openapiTS(document(), { defaultNonNullable: false, emptyObjectsUnknown: true })
const text = `// Generated from the OpenAPI document by scripts/generate.mjs; not kept in the repository.\n\n${astToString(nodes)}`
// An unchanged file keeps its time, so that watchers and parallel runs are not disturbed.
if (!existsSync(target) || readFileSync(target, 'utf8') !== text) writeFileSync(target, text)
