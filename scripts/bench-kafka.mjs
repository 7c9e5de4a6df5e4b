// `npm run bench:kafka -- OPTIONS`: sets up what is missing, then measures beside Apache Kafka. Needs Java 17 and Maven.
import { setUp } from './setup.mjs'

setUp()
await import('../bench/dist/peers/compare-kafka.js')
