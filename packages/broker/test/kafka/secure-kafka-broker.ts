import { BrokerSecurity } from '../../src/server/security/broker-security.ts'
import { FailedLogins } from '../../src/server/security/failed-logins.ts'
import { noUsers } from '../../src/server/security/user-file.ts'
import { Users } from '../../src/server/security/users.ts'
import type { UserSpec } from '../../src/protocols/security.ts'
import { KafkaBroker, type KafkaOptions } from './kafka-peer.ts'

export interface SecureKafkaBroker {
  readonly broker: KafkaBroker
  readonly users: Users
  readonly security: BrokerSecurity
}

/** A broker with the Kafka door, users and the real rules; the first user is `root`, who may do everything. */
export async function openSecureKafkaBroker(specs: readonly UserSpec[], options: KafkaOptions = {}): Promise<SecureKafkaBroker> {
  const users = new Users(noUsers(), () => {})
  const security = new BrokerSecurity(users, new FailedLogins(() => 0), { allowCleartext: false })
  users.create({ name: 'root', password: 'toor', rules: ['allow all **'] })
  for (const spec of specs) users.create(spec)
  const broker = await KafkaBroker.open({ ...options, security, authorize: security.authorize })
  return { broker, users, security }
}
