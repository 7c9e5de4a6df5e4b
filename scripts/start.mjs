// `npm start -- FLAGS`: sets up what is missing, then runs `millrace start FLAGS` in this process, so that signals reach it.
import { setUp } from './setup.mjs'

setUp()
process.argv.splice(2, 0, 'start')
const { loadBundle } = await import('../packages/broker/bin/load-bundle.cjs')
loadBundle()
