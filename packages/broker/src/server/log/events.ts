/** Stable codes of log lines, for alerts and searches. docs/errors.md lists them; a test keeps the two in step. */
const events = {
  'broker.starting': 'The process begins to open its data.',
  'broker.ready': 'Recovered, and all listeners accept connections.',
  'broker.draining': 'Shutting down: no new work is taken, what is under way is finished.',
  'broker.stopped': 'Shut down in order; everything confirmed is on disk.',
  'broker.failed': 'The process ends because it cannot go on; start it again to recover.',
  'broker.warning': 'The broker core met something that an operator should look at.',
  'broker.memory': 'Memory runs short, and publishers are held back; or there is enough again.',
  'config.warning': 'Something in the configuration is odd but does no harm.',
  'listener.open': 'A door accepts connections.',
  'listener.skipped': 'A default port is taken by another process; the broker runs without that door.',
  'listener.failed': 'A listener reported an error while it was running.',
  'connection.open': 'A client connected.',
  'connection.closed': 'A client is gone.',
  'connection.refused': 'A client was turned away because a limit on connections is reached.',
  'login.failed': 'Somebody gave a wrong password or token.',
  'tls.loaded': 'The files of a certificate have changed and are used from now on.',
  'tls.refused': 'The files of a certificate have changed and cannot be used; the one before stays in use.',
  'users.loaded': 'The file of users has changed and counts from now on.',
  'users.refused': 'The file of users has changed and cannot be used; the users stay as they were.',
  'http.failed': 'A request met a failure that is not the fault of the client.',
} as const

export type LogEvent = keyof typeof events

export const logEvents: Readonly<Record<LogEvent, string>> = events
