import { existsSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { describe, expect, test } from 'vitest'
import { errorCatalogue } from '../src/base/errors.ts'
import { functionLengths } from './repository/function-lengths.ts'
import { deadLinks } from './repository/links.ts'
import { FILE_LINES_MAX, FUNCTION_LINES_MAX, longFiles, longFunctions, TEST_FILE_LINES_MAX } from './repository/ratchets.ts'
import { codeOnly, importsOf, read, repository, tree } from './repository/source-files.ts'

const layersFolder = 'packages/broker/src'
const { files, folders } = tree('.')
const typescript = files.filter((file) => file.endsWith('.ts'))
const isTest = (file: string): boolean => file.endsWith('.test.ts')
const isShipped = (file: string): boolean => /^packages\/[^/]+\/src\//.test(file) && !isTest(file)
const shipped = typescript.filter(isShipped)
const layers = [...new Set(shipped.flatMap((file) => new RegExp(`^${layersFolder}/([^/]+)/`).exec(file)?.[1] ?? []))]

/** Everything between the sockets and the disk: runs the same in a simulator, with time and chance injected. */
const deterministicLayers = ['base', 'ports', 'storage', 'core', 'protocols']
const deterministic = shipped.filter((file) => deterministicLayers.some((layer) => file.startsWith(`${layersFolder}/${layer}/`)))
const wire = shipped.filter((file) => file.startsWith('packages/wire/src/'))

/** Folders of protocols/ that doors share. */
const sharedByDoors = ['api']

test('the walk finds the code it is about', () => {
  expect(layers.toSorted()).toEqual(['base', 'cli', 'core', 'engines', 'ports', 'protocols', 'server', 'storage'])
  expect(deterministic.length).toBeGreaterThan(20)
  expect(wire.length).toBeGreaterThan(2)
})

describe('layers', () => {
  test.each(layers)('%s imports only the layers that its tsconfig names', (layer) => {
    const folder = `${layersFolder}/${layer}`
    const allowed = new Set([folder, ...referencesOf(folder)])
    const wrong = shipped
      .filter((file) => file.startsWith(`${folder}/`))
      .flatMap((file) => importsOf(read(file)).map((specifier) => ({ file, specifier, target: layerOf(file, specifier) })))
      .filter(({ target }) => target !== undefined && !allowed.has(target))
      .map(({ file, specifier }) => `${file} imports ${specifier}`)
    expect(wrong).toEqual([])
  })

  test('nothing of Node is imported where the simulator must run', () => {
    const wrong = [...deterministic, ...wire]
      .filter((file) => !file.includes('/ports/conformance/'))
      .flatMap((file) => importsOf(read(file)).map((specifier) => ({ file, specifier })))
      .filter(({ specifier }) => specifier.startsWith('node:'))
      .map(({ file, specifier }) => `${file} imports ${specifier}`)
    expect(wrong).toEqual([])
  })

  test.each(['wire', 'client'])('%s brings no packages of others', (name) => {
    const { dependencies = {} } = JSON.parse(read(`packages/${name}/package.json`)) as { dependencies?: object }
    expect(Object.keys(dependencies).filter((dependency) => !dependency.startsWith('@millrace/'))).toEqual([])
    const wrong = shipped
      .filter((file) => file.startsWith(`packages/${name}/src/`) && !file.includes('/conformance/'))
      .flatMap((file) => importsOf(read(file)).map((specifier) => ({ file, specifier })))
      .filter(({ specifier }) => !/^(\.|node:|@millrace\/wire)/.test(specifier))
      .map(({ file, specifier }) => `${file} imports ${specifier}`)
    expect(wrong).toEqual([])
  })

  test('time, chance and the console are used only by adapters', () => {
    const forbidden =
      /\b(Date\.now|performance\.now|setTimeout|setInterval|setImmediate|Math\.random|console\.|process\.)|\bnew Date\(\)/
    const wrong = [...deterministic, ...wire].flatMap((file) => matchingLines(file, codeOnly(read(file)), forbidden))
    expect(wrong).toEqual([])
  })

  test('no door imports another', () => {
    const wrong = shipped.flatMap((file) => {
      const door = doorOf(file)
      if (door === undefined || sharedByDoors.includes(door)) return []
      return importsOf(read(file))
        .filter((specifier) => specifier.startsWith('.'))
        .filter((specifier) => ![undefined, door, ...sharedByDoors].includes(doorOf(posix.join(posix.dirname(file), specifier))))
        .map((specifier) => `${file} imports ${specifier}`)
    })
    expect(wrong).toEqual([])
  })
})

describe('size', () => {
  test('files are short enough to be read at once', () => {
    const lengths = typescript.map((file) => [file, read(file).split('\n').length] as const)
    const tooLong = lengths.filter(
      ([file, lines]) => lines > (longFiles[file] ?? (isShipped(file) ? FILE_LINES_MAX : TEST_FILE_LINES_MAX)),
    )
    expect(tooLong).toEqual([])
    expect(outgrown(longFiles, new Map(lengths), FILE_LINES_MAX)).toEqual([])
  })

  test('functions fit a screen', () => {
    const lengths = shipped.flatMap((file) =>
      functionLengths(file, read(file)).map(({ name, lines }) => [`${file}: ${name}`, lines] as const),
    )
    expect(lengths.filter(([name, lines]) => lines > (longFunctions[name] ?? FUNCTION_LINES_MAX))).toEqual([])
    const longest = new Map(lengths.toSorted(([, a], [, b]) => a - b))
    expect(outgrown(longFunctions, longest, FUNCTION_LINES_MAX)).toEqual([])
  })
})

describe('files', () => {
  test('names are kebab-case', () => {
    const named = [...typescript, ...folders].filter((path) => !/\/(README|CHANGELOG)\./.test(path))
    const wrong = named.filter((path) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*$/.test(posix.basename(path)))
    expect(wrong).toEqual([])
  })

  test('every layer, engine and door explains itself', () => {
    const own = new RegExp(`^${layersFolder}/([^/]+|(engines|protocols)/[^/]+)$`)
    const wrong = ['packages/wire', 'packages/client', 'bench', ...folders.filter((folder) => own.test(folder))].filter(
      (folder) => !existsSync(join(repository, folder, 'README.md')) && !existsSync(join(repository, folder, 'src/README.md')),
    )
    expect(wrong).toEqual([])
  })

  test('no reminders are left in the code', () => {
    const reminder = /\b([T]ODO|[F]IXME|[X]XX|[H]ACK)\b/
    expect(
      files.filter((file) => /\.(ts|mjs|js|md)$/.test(file)).flatMap((file) => matchingLines(file, read(file), reminder)),
    ).toEqual([])
  })

  test('what an assertion says is made only when it fails', () => {
    const eager = /\bassert\((\n[^`\n]*,\n)?[^`\n]*`[^`\n]*\$\{/
    expect(shipped.filter((file) => eager.test(read(file)))).toEqual([])
  })

  test('no test is skipped or alone', () => {
    const partial = /\b(test|it|describe)\.(skip|only|todo|fails)\b/
    expect(typescript.filter(isTest).flatMap((file) => matchingLines(file, codeOnly(read(file)), partial))).toEqual([])
  })
})

describe('documents', () => {
  test('links lead somewhere', () => {
    expect(files.filter((file) => file.endsWith('.md')).flatMap((file) => deadLinks(file))).toEqual([])
  })

  test('files that comments refer to exist', () => {
    const wrong = typescript.flatMap((file) =>
      [...read(file).matchAll(/(?<![./\w-])(?:docs|bench|scripts)\/[\w./-]+\.(?:md|ts|mjs|json)\b/g)]
        .map(([path]) => path)
        .filter((path) => !existsSync(join(repository, path)) && !existsSync(join(repository, dirname(file), path)))
        .map((path) => `${file} refers to ${path}`),
    )
    expect(wrong).toEqual([])
  })

  test('every error code is explained', () => {
    const text = read('docs/errors.md')
    expect(Object.keys(errorCatalogue).filter((code) => !text.includes(`\`${code}\``))).toEqual([])
  })
})

// ---- pieces ---------------------------------------------------------------------------------------------------------

/** Entries of a ratchet that nothing needs any more: to be removed from it. */
function outgrown(
  recorded: Readonly<Record<string, number>>,
  lengths: ReadonlyMap<string, number>,
  max: number,
): readonly string[] {
  return Object.keys(recorded).filter((name) => (lengths.get(name) ?? 0) <= max)
}

function doorOf(file: string): string | undefined {
  return new RegExp(`^${layersFolder}/protocols/([^/]+)/`).exec(file)?.[1]
}

function matchingLines(file: string, text: string, pattern: RegExp): readonly string[] {
  return text.split('\n').flatMap((line, n) => (pattern.test(line) ? [`${file}:${n + 1}: ${line.trim()}`] : []))
}

/** Folders of the projects that a layer's tsconfig refers to: `packages/broker/src/base`, `packages/wire`. */
function referencesOf(folder: string): readonly string[] {
  const { references = [] } = JSON.parse(read(`${folder}/tsconfig.json`)) as { references?: readonly { readonly path: string }[] }
  return references.map(({ path }) => posix.join(folder, path))
}

/** The layer or package of the project that an import leads to; undefined for what comes from outside. */
function layerOf(file: string, specifier: string): string | undefined {
  const scoped = /^@millrace\/([^/]+)/.exec(specifier)
  if (scoped !== null) return `packages/${scoped[1]!}`
  if (!specifier.startsWith('.')) return undefined
  const path = posix.join(posix.dirname(file), specifier)
  return new RegExp(`^${layersFolder}/[^/]+`).exec(path)?.[0] ?? path
}
