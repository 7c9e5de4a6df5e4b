// Runs the bundle of the `millrace` command from code that V8 compiled while it was built (docs/adr/0010-compiled-code-is-built.md).
'use strict'
const { existsSync, readFileSync, writeFileSync } = require('node:fs')
const nodeModules = require('node:module')
const path = require('node:path')
const { Script } = require('node:vm')

const MAIN = 'main.cjs'
const pathOf = (name) => path.join(__dirname, '../dist/bundle', name)
const compiledPathOf = (name) => `${pathOf(name)}.compiled`

/** In front of the first line, so that all lines keep their numbers. */
const HEAD = Buffer.from('(function (exports, require, module, __filename, __dirname) { ')
const TAIL = Buffer.from('\n})')

/** Name of a chunk's file to its script and what it exports. */
const chunks = new Map()

exports.isBuilt = () => existsSync(pathOf(MAIN))

/** Runs the command that `process.argv` names. */
exports.loadBundle = () => {
  // Node maps stacks to sources only for modules that it has loaded itself.
  const main = process.sourceMapsEnabled ? undefined : compile(MAIN)
  if (main?.cachedDataRejected === false) return run(MAIN, main)
  // Another Node than the one that built it: from 22.8 on it keeps compiled code itself.
  nodeModules.enableCompileCache?.()
  return require(pathOf(MAIN))
}

/** The same for the build, which has no compiled code yet. */
exports.loadBundleToCompile = () => load(MAIN)

/** Keeps what V8 has compiled so far: all of each chunk that was loaded, and those of its functions that have run. */
exports.writeCompiled = () => {
  for (const [name, { script }] of chunks) writeFileSync(compiledPathOf(name), script.createCachedData())
}

function load(name) {
  return chunks.get(name)?.module.exports ?? run(name, compile(name))
}

function run(name, script) {
  const module = { exports: {} }
  chunks.set(name, { script, module })
  const file = pathOf(name)
  const fromNode = nodeModules.createRequire(file)
  const fromBundle = (wanted) => (wanted.startsWith('./') ? load(wanted.slice(2)) : fromNode(wanted))
  script.runInThisContext()(module.exports, fromBundle, module, file, path.dirname(file))
  return module.exports
}

/** V8 refuses compiled code of another version or other flags, and compiles the source instead. */
function compile(name) {
  const compiled = compiledPathOf(name)
  const cachedData = existsSync(compiled) ? readFileSync(compiled) : undefined
  // One string of one byte for each character: the bundle is ASCII (scripts/bundle.mjs), and two strings put together would both stay.
  const source = Buffer.concat([HEAD, readFileSync(pathOf(name)), TAIL]).latin1Slice()
  // The name in stacks is part of the compiled code, which moves with the package: so it tells the place in the package.
  return new Script(source, { filename: `millrace/dist/bundle/${name}`, cachedData })
}
