// `npm run bench -- OPTIONS`: sets up what is missing, then measures. `npm run bench -- --help` tells the options.
import { setUp } from './setup.mjs'

setUp()
await import('../bench/dist/main.js')
