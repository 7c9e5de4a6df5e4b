// `npm run bench:rabbitmq -- OPTIONS`: sets up what is missing, then measures beside RabbitMQ. Needs a C compiler and Debian's rabbitmq-server.
import { setUp } from './setup.mjs'

setUp()
await import('../bench/dist/peers/compare-rabbitmq.js')
