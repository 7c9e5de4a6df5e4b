import { type Millrace, MillraceError } from '@millrace/client'
import type { FromOptions, SourceTopic, Stream, Streams, StreamsInfo, StreamsOptions, Table } from './api.ts'
import { Application } from './run/application.ts'
import { settingsOf } from './run/settings.ts'
import type { Definitions } from './topology/definitions.ts'
import { FlowStream } from './topology/flow-stream.ts'
import { Topology } from './topology/topology.ts'

const NAME = /^[A-Za-z0-9._-]+$/

/**
 * An application of streams. Define what it does, then `start` it.
 * @param name what it keeps on the broker begins with it; instances with the same name share the work
 * @throws MillraceError `bad_request`, `illegal_name`
 */
export function streams(client: Millrace, name: string, options: StreamsOptions = {}): Streams {
  if (!NAME.test(name))
    throw new MillraceError('illegal_name', `${JSON.stringify(name)} is no name: use the characters A-Z a-z 0-9 . _ -`)
  return new StreamsApplication(new Application(settingsOf(client, name, options), new Topology(name)))
}

class StreamsApplication implements Streams {
  readonly name: string
  readonly #application: Application
  readonly #definitions: Definitions

  constructor(application: Application) {
    this.name = application.settings.name
    this.#application = application
    const definitions: Definitions = {
      topology: application.topology,
      queries: application,
      stream: (node, output) => new FlowStream(definitions, node, output),
    }
    this.#definitions = definitions
  }

  get done(): Promise<void> {
    return this.#application.done
  }

  from<V>(topic: SourceTopic<V>, options: FromOptions<V> = {}): Stream<V> {
    return FlowStream.from(this.#definitions, topic, options)
  }

  table<V>(topic: SourceTopic<V>): Table<V> {
    return FlowStream.table(this.#definitions, topic)
  }

  start(): Promise<void> {
    return this.#application.start()
  }

  stop(): Promise<void> {
    return this.#application.stop()
  }

  caughtUp(): Promise<void> {
    return this.#application.caughtUp()
  }

  info(): StreamsInfo {
    return this.#application.info()
  }

  reset(): Promise<void> {
    return this.#application.reset()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}
