// `npm run example NAME -- OPTIONS`: sets up what is missing, then runs that program of examples/.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, setUp } from './setup.mjs'

const [name, ...options] = process.argv.slice(2)
const names = readdirSync(join(root, 'examples/src'), { withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => entry.name.replace('.ts', ''))
if (!names.includes(name)) {
  console.error(`Usage: npm run example NAME [-- --url millrace://HOST:PORT]\nNames: ${names.join(', ')}`)
  process.exit(2)
}
setUp()
run(process.execPath, [join(root, `examples/dist/${name}.js`), ...options], { stdio: 'inherit' })
