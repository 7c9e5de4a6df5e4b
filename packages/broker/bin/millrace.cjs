#!/usr/bin/env node
// CommonJS, as the bundle is: without a module of the other kind Node leaves out what it needs for them, which takes 6 ms and 2 MB.
'use strict'
const { isBuilt, loadBundle } = require('./load-bundle.cjs')

if (isBuilt()) loadBundle()
else {
  console.error('millrace is not built yet: run `npm start` (or `npm run build`) in the repository first.')
  process.exitCode = 1
}
