// `npm start -- FLAGS`: sets up what is missing, then runs `millrace start FLAGS` in this process, so that signals reach it.
import { setUp } from './setup.mjs'

setUp()
process.argv.splice(2, 0, 'start')
await import('../packages/broker/dist/bundle/main.js')
