import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'

/** The code blocks of a language in pages of documentation. */
export function blocks(pages: string[], language: string): string[] {
  const block = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms')
  return pages.flatMap((page) => [...readFileSync(page, 'utf8').matchAll(block)].map((found) => found[1] as string))
}

/** What the compiler says of `files` (text by path, which need not be there), with the options of a tsconfig and more. */
export function diagnostics(files: Map<string, string>, configuration: string, more: ts.CompilerOptions): string[] {
  const read = ts.readConfigFile(configuration, (path) => ts.sys.readFile(path))
  const { options } = ts.parseJsonConfigFileContent(read.config, ts.sys, join(dirname(configuration), '/'))
  Object.assign(options, more)
  const host = ts.createCompilerHost(options)
  const plain = { ...host }
  host.fileExists = (path) => files.has(path) || plain.fileExists(path)
  const isAbove = (folder: string) => [...files.keys()].some((path) => path.startsWith(`${folder}/`))
  host.directoryExists = (path) => isAbove(path) || (plain.directoryExists?.(path) ?? false)
  host.readFile = (path) => files.get(path) ?? plain.readFile(path)
  host.getSourceFile = (path, target, ...rest) => {
    const text = files.get(path)
    return text === undefined ? plain.getSourceFile(path, target, ...rest) : ts.createSourceFile(path, text, target)
  }
  return ts
    .getPreEmitDiagnostics(ts.createProgram([...files.keys()], options, host))
    .map((each) => `${each.file?.fileName.split('/').pop()}: ${ts.flattenDiagnosticMessageText(each.messageText, '\n')}`)
}
