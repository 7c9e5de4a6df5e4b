// Somebody signs up, which is published once. A mail and an SMS go out for it, from two services that know nothing of each other: each
// has a subscription of its own, with its own place, its own retries and its own failures.
import type { Message, Millrace, StoredMessage } from '@millrace/client'
import { run } from './running/run.ts'
import { until } from './running/until.ts'

const SIGN_UPS = 'example.sign-ups'
const UNDELIVERED = 'example.undelivered'

interface SignUp {
  readonly name: string
  readonly email: string
  readonly phone: string
}

export interface RegistrationOutcome {
  /** Who got one, sorted. */
  readonly mails: readonly string[]
  readonly texts: readonly string[]
  readonly smsFailures: number
  readonly undelivered: readonly Undelivered[]
}

interface Undelivered {
  readonly name: string
  readonly reason: string
  readonly attempts: number
  readonly error: string
}

export async function registration(client: Millrace): Promise<RegistrationOutcome> {
  const delivery = {
    maxAttempts: 4,
    backoff: { kind: 'exponential', initialMs: 50, maxMs: 1000 },
    deadLetter: `queue:${UNDELIVERED}`,
  } as const
  await client.admin.createQueue({ name: UNDELIVERED })
  await client.admin.createTopic({ name: SIGN_UPS })
  await client.admin.createSubscription({ topic: SIGN_UPS, name: 'mail', delivery })
  await client.admin.createSubscription({ topic: SIGN_UPS, name: 'sms', delivery })

  const signUps = client.topic(SIGN_UPS)
  const mails: string[] = []
  const texts: string[] = []
  const undelivered: Undelivered[] = []
  let smsFailures = 0

  // The mail service. A handler that throws gives the message back; the subscription's policy says when it comes again.
  const mailService = signUps.subscription('mail').consume(
    (message) => {
      const { name, email } = message.json() as SignUp
      if (email.endsWith('.invalid')) throw new Error(`no mail server answers for ${email}`)
      mails.push(name)
      console.log(`mail   welcome, ${name}`)
    },
    { onError: sayThatItFailed('mail') },
  )

  // The SMS service, whose provider refuses the first two texts.
  const smsService = signUps.subscription('sms').consume(
    (message) => {
      const { name } = message.json() as SignUp
      if (smsFailures < 2) {
        smsFailures++
        throw new Error('the SMS provider is overloaded')
      }
      texts.push(name)
      console.log(`sms    ${name}, your code is 4711 (attempt ${message.attempt})`)
    },
    { onError: sayThatItFailed('sms') },
  )

  // The help desk gets what could not be delivered, and why.
  const helpDesk = client.queue(UNDELIVERED).consume((message) => {
    const { name } = message.json() as SignUp
    const reason = header(message, 'millrace-dead-reason')
    const attempts = Number(header(message, 'millrace-dead-attempts'))
    const error = header(message, 'millrace-dead-error')
    undelivered.push({ name, reason, attempts, error })
    console.log(`desk   ${name}: ${reason} after ${attempts} attempts, the last said: ${error}`)
  })

  // The web site. It waits for the broker only, not for mails and texts.
  for (const signUp of [
    { name: 'ann', email: 'ann@example.com', phone: '+1 555 0100' },
    { name: 'bob', email: 'bob@mail.invalid', phone: '+1 555 0101' },
    { name: 'eve', email: 'eve@example.com', phone: '+1 555 0102' },
  ]) {
    console.log(`web    ${signUp.name} signs up`)
    await signUps.publish(signUp)
  }

  await until(() => mails.length === 2 && texts.length === 3 && undelivered.length === 1)
  await Promise.all([mailService.stop(), smsService.stop(), helpDesk.stop()])
  return { mails: mails.toSorted(), texts: texts.toSorted(), smsFailures, undelivered }
}

function sayThatItFailed(service: string): (error: unknown, message: Message) => void {
  return (error, message) => {
    console.log(`${service.padEnd(6)} attempt ${message.attempt} failed: ${(error as Error).message}`)
  }
}

function header(message: StoredMessage, name: string): string {
  return new TextDecoder().decode(message.headers[name] ?? new Uint8Array())
}

await run(import.meta.url, registration)
