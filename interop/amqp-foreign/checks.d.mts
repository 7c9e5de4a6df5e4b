/** The checks of jvm/AmqpChecks.java and python/pika_checks.py, and how to run them. */
export const javaChecks: readonly string[]
export const pikaChecks: readonly string[]
export function javaCommand(port: number, check: string): [command: string, parameters: string[]]
export function pikaCommand(port: number, check: string): [command: string, parameters: string[]]
