// `npm run build`: compiles everything that changed and bundles the `millrace` command.
import { build } from './setup.mjs'

build()
