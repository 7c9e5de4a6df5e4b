/** Virtual hosts, policies and all that of a broker in virtual time, for tests. */
import { type AmqpAdministration, openAdministration } from '../../src/protocols/amqp/administration.ts'
import type { AmqpConnection } from '../../src/protocols/amqp/directory.ts'
import { BrokerSecurity } from '../../src/server/security/broker-security.ts'
import { FailedLogins } from '../../src/server/security/failed-logins.ts'
import { noUsers } from '../../src/server/security/user-file.ts'
import { Users } from '../../src/server/security/users.ts'
import { TestBroker } from '../core/harness.ts'

export class TestAdministration {
  readonly test: TestBroker
  readonly security: BrokerSecurity
  administration: AmqpAdministration

  private constructor(test: TestBroker) {
    this.test = test
    const users = new Users(noUsers(), () => {})
    this.security = new BrokerSecurity(users, new FailedLogins(() => 0), { allowCleartext: false })
    this.administration = openAdministration(test.broker, this.security)
  }

  static async open(): Promise<TestAdministration> {
    return new TestAdministration(await TestBroker.open())
  }

  /** What was committed is still there. */
  async restart(): Promise<void> {
    await this.test.restart()
    this.administration = openAdministration(this.test.broker, this.security)
  }
}

/** @param onClose told of the reason */
export function testConnection(values: Partial<AmqpConnection>, onClose: (reason: string) => void = () => {}): AmqpConnection {
  return {
    name: '127.0.0.1:5000 -> 127.0.0.1:5672',
    peer: { address: '127.0.0.1:5000', transport: 'tcp', secure: false },
    user: 'ann',
    userName: 'ann',
    vhost: '/',
    mechanism: 'PLAIN',
    connectedAtMs: 0,
    channelsMax: 2047,
    frameBytesMax: 131_072,
    heartbeatSeconds: 60,
    clientProperties: {},
    state: 'running',
    bytesIn: 0,
    bytesOut: 0,
    channels: () => [],
    close: onClose,
    ...values,
  }
}

/** @returns its code, or `ok` */
export function codeOf(run: () => unknown): string | number {
  try {
    run()
    return 'ok'
  } catch (error) {
    return (error as { code: string | number }).code
  }
}
