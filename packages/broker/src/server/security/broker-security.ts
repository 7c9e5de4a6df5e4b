import { createHmac, randomBytes } from 'node:crypto'
import { prepareText } from '@millrace/wire'
import { MillraceError } from '../../base/errors.ts'
import { isLoopbackPeer } from './peer-host.ts'
import { ANONYMOUS, type Credentials, refuseLogin, type SaslExchange, type Security } from '../../protocols/security.ts'
import type { Action, Peer, Principal } from '../../protocols/session.ts'
import type { FailedLogins } from './failed-logins.ts'
import { type HashName, isPassword, keysOfNobody } from './password-keys.ts'
import { plainExchange } from './sasl/plain.ts'
import { scramExchange } from './sasl/scram.ts'
import { isRabbitmqPassword } from './rabbitmq-hash.ts'
import type { Users } from './users.ts'

const NONCE_BYTES = 18
const REMEMBERED_MAX = 1000

const scramHashes: ReadonlyMap<string, HashName> = new Map([
  ['SCRAM-SHA-512', 'sha512'],
  ['SCRAM-SHA-256', 'sha256'],
])

interface SecuritySettings {
  /** Passwords and tokens are taken in clear over any connection: something else keeps them secret. */
  readonly allowCleartext: boolean
}

/** Decides who somebody is and what they may do. While there are no users, everybody is anonymous and may do everything. */
export class BrokerSecurity implements Security {
  readonly users: Users
  readonly #failures: FailedLogins
  readonly #settings: SecuritySettings
  readonly #onFailure: (peer: Peer) => void
  /** Passwords that were right, as HMAC with a key of this process: HTTP sends one with each request, and each costs milliseconds. */
  #remembered = new Set<string>()
  #rememberedVersion = -1
  readonly #key = randomBytes(32)

  /** @param onFailure told of each wrong password and token */
  constructor(users: Users, failures: FailedLogins, settings: SecuritySettings, onFailure: (peer: Peer) => void = () => {}) {
    this.users = users
    this.#failures = failures
    this.#settings = settings
    this.#onFailure = onFailure
  }

  get version(): number {
    return this.users.version
  }

  /** The one place where access is decided. @throws MillraceError `forbidden` */
  readonly authorize = ({ user, peer }: Principal, action: Action, resource: string): void => {
    if (this.users.isEmpty || this.users.may(user, action, resource, peer.address)) return
    throw new MillraceError(
      'forbidden',
      `${JSON.stringify(user)} may not ${action} ${resource}. Who administers the broker can allow it: millrace user set ${user} --rule 'allow ${action} ${resource}'.`,
    )
  }

  mayAnywhere({ user, peer }: Principal, action: Action, kind: 'topic' | 'queue' | 'group'): boolean {
    return this.users.isEmpty || this.users.mayAnywhere(user, action, kind, peer.address)
  }

  authorizeTopic({ user, clientId }: Principal, exchange: string, routingKey: string, access: 'write' | 'read'): void {
    if (!this.users.hasTopicPermissions || this.users.mayUseKey(user, exchange, routingKey, access, clientId)) return
    throw new MillraceError(
      'forbidden',
      `${JSON.stringify(user)} may not ${access} with the key ${JSON.stringify(routingKey)} in the exchange ${JSON.stringify(exchange)}: its topic permissions say which keys it may use.`,
    )
  }

  mechanisms(peer: Peer): readonly string[] {
    if (this.users.isEmpty || peer.login === 'none') return []
    return [...scramHashes.keys(), ...(this.isSecret(peer) ? ['PLAIN'] : [])]
  }

  begin(mechanism: string, peer: Peer): SaslExchange {
    this.#checkTakesLogins(peer)
    this.#failures.check(peer)
    const hash = scramHashes.get(mechanism)
    if (hash !== undefined) return this.#scram(hash, peer)
    if (mechanism === 'PLAIN') return plainExchange((user, password) => this.login({ user, password }, peer))
    throw new MillraceError(
      'unsupported',
      `There is no mechanism ${JSON.stringify(mechanism.slice(0, 50))}; there are ${this.mechanisms(peer).join(', ')}.`,
    )
  }

  login(credentials: Credentials, peer: Peer): string {
    this.#checkTakesLogins(peer)
    if (!this.isSecret(peer)) {
      throw new MillraceError(
        'unauthorized',
        'Passwords and tokens are not taken over a connection that others can read: use TLS, or a client that logs in with SCRAM. ' +
          'Where something else keeps the connection secret, set security.allowCleartext: true.',
      )
    }
    this.#failures.check(peer)
    const user = credentials.user === undefined ? this.users.userOfToken(credentials.token) : this.#byPassword(credentials)
    if (user === undefined) return this.#failed(peer)
    this.#failures.succeeded(peer)
    return user
  }

  unnamed({ certificateName, login }: Peer): string {
    if (certificateName !== undefined && this.users.stored(certificateName) !== undefined) return certificateName
    if (login !== 'required' && (this.users.isEmpty || this.users.stored(ANONYMOUS) !== undefined)) return ANONYMOUS
    if (this.users.isEmpty)
      throw new MillraceError('unauthorized', 'This listener is for those who log in, and this broker has no users yet.')
    throw new MillraceError(
      'unauthorized',
      'This broker has users: log in, with `user` and `password` or `token` of the client, with MILLRACE_USER and MILLRACE_PASSWORD, or as Basic or Bearer over HTTP.',
    )
  }

  /** @throws MillraceError `unauthorized` */
  #checkTakesLogins({ login }: Peer): void {
    if (this.users.isEmpty) return refuseLogin()
    if (login !== 'none') return
    throw new MillraceError('unauthorized', 'Nobody logs in at this listener: connect without user, password and token.')
  }

  knows(user: string): boolean {
    return this.users.isEmpty || this.users.stored(user) !== undefined
  }

  #scram(hash: HashName, peer: Peer): SaslExchange {
    return scramExchange({
      hash,
      nonce: randomBytes(NONCE_BYTES).toString('base64'),
      keysOf: (user) => this.users.stored(user)?.password?.[hash] ?? keysOfNobody(hash, this.users.secret, user),
      verdict: (user, isProven) => {
        if (!isProven || this.users.stored(user)?.password?.[hash] === undefined) return this.#failed(peer)
        this.#failures.succeeded(peer)
        return user
      },
    })
  }

  /** Takes the same time for those who are no users. */
  #byPassword({ user, password = '' }: Extract<Credentials, { readonly user: string }>): string | undefined {
    const [name, secret] = [prepareText(user), prepareText(password)]
    if (name === undefined || secret === undefined) return undefined
    const known = this.users.stored(name)
    const keys = known?.password
    const hash = keys?.sha256 === undefined && keys?.sha512 !== undefined ? 'sha512' : 'sha256'
    const stored = keys?.[hash]
    const imported = known?.passwordHash
    const hasPassword = stored !== undefined || imported !== undefined
    if (hasPassword && this.#isRemembered(name, secret)) return name
    const isRight = isPassword(hash, stored ?? keysOfNobody(hash, this.users.secret, name), secret)
    const isImported = imported !== undefined && isRabbitmqPassword(imported, password)
    if (!hasPassword || (!isRight && !isImported)) return undefined
    this.#remember(name, secret)
    return name
  }

  #isRemembered(user: string, password: string): boolean {
    return this.#rememberedVersion === this.version && this.#remembered.has(this.#fingerprint(user, password))
  }

  #remember(user: string, password: string): void {
    if (this.#rememberedVersion !== this.version || this.#remembered.size >= REMEMBERED_MAX) this.#remembered = new Set()
    this.#rememberedVersion = this.version
    this.#remembered.add(this.#fingerprint(user, password))
  }

  #fingerprint(user: string, password: string): string {
    return createHmac('sha256', this.#key).update(`${user}\0${password}`).digest('base64')
  }

  #failed(peer: Peer): never {
    this.#failures.failed(peer)
    this.#onFailure(peer)
    throw new MillraceError('unauthorized', 'User and password, or the token, are not right.')
  }

  isSecret({ secure, transport, address }: Peer): boolean {
    if (secure || transport === 'in-process' || this.#settings.allowCleartext) return true
    return isLoopbackPeer(address)
  }
}
