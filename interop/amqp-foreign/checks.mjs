/** The checks of jvm/AmqpChecks.java and python/pika_checks.py, and how to run them. */
import { fileURLToPath } from 'node:url'

const cache = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url))
const script = fileURLToPath(new URL('python/pika_checks.py', import.meta.url))

export const javaChecks = [
  'confirms',
  'types',
  'errors',
  'order',
  'transactions',
  'deadLetters',
  'calls',
  'consumers',
  'exchanges',
]
export const pikaChecks = ['confirms', 'limits', 'lifetimes', 'capabilities']

/** @param {number} port @param {string} check @returns {[string, string[]]} */
export function javaCommand(port, check) {
  const classPath = `${cache}/amqp-jvm/jars/*:${cache}/amqp-jvm/classes`
  return ['java', ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', classPath, 'AmqpChecks', String(port), check]]
}

/** @param {number} port @param {string} check @returns {[string, string[]]} */
export function pikaCommand(port, check) {
  return [`${cache}/amqp-python/bin/python`, [script, String(port), check]]
}
