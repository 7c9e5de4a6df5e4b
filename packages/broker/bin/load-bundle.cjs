// Runs the bundle of the `millrace` command from code that V8 compiled while it was built (docs/adr/0010-compiled-code-is-built.md).
'use strict'
const { existsSync, readFileSync, writeFileSync } = require('node:fs')
const nodeModules = require('node:module')
const { dirname, join } = require('node:path')
const { Script } = require('node:vm')

const directory = join(__dirname, '../dist/bundle')
const main = join(directory, 'main.cjs')

/** In front of the first line, so that all lines keep their numbers. */
const HEAD = Buffer.from('(function (exports, require, module, __filename, __dirname) { ')
const TAIL = Buffer.from('\n})')

/** File of a chunk to its script and what it exports. */
const chunks = new Map()

exports.isBuilt = () => existsSync(main)

/** Runs the command that `process.argv` names. */
exports.loadBundle = () => {
  // Node maps stacks to sources only for modules that it has loaded itself.
  if (!process.sourceMapsEnabled && compile(main).cachedDataRejected === false) return load(main)
  // Another Node than the one that built it: from 22.8 on it keeps compiled code itself.
  nodeModules.enableCompileCache?.()
  return require(main)
}

/** The same for the build, which has no compiled code yet. */
exports.loadBundleToCompile = () => load(main)

/** Keeps what V8 has compiled so far: all of each chunk that was loaded, and those of its functions that have run. */
exports.writeCompiled = () => {
  for (const [file, { script }] of chunks) writeFileSync(compiledFile(file), script.createCachedData())
}

function load(file) {
  const known = chunks.get(file)
  if (known !== undefined) return known.module.exports
  const module = { exports: {} }
  const script = compile(file)
  chunks.set(file, { script, module })
  const fromNode = nodeModules.createRequire(file)
  const fromChunk = (name) => (name.startsWith('./') ? load(join(directory, name)) : fromNode(name))
  script.runInThisContext()(module.exports, fromChunk, module, file, dirname(file))
  return module.exports
}

/** V8 refuses compiled code of another version or other flags, and compiles the source instead. */
function compile(file) {
  const compiled = compiledFile(file)
  const cachedData = existsSync(compiled) ? readFileSync(compiled) : undefined
  // One string of one byte for each character: the bundle is ASCII (scripts/bundle.mjs), and two strings put together would both stay.
  const source = Buffer.concat([HEAD, readFileSync(file), TAIL]).latin1Slice()
  return new Script(source, { filename: file, cachedData })
}

function compiledFile(file) {
  return `${file}.compiled`
}
