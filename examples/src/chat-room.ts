// Each room is a topic. Whoever is in a room hears what is said from then on; whoever comes late reads the history; whoever has a
// subscription misses nothing while being away.
import type { Consumption, Millrace, StoredMessage, Topic } from '@millrace/client'
import { run } from './running/run.ts'
import { until } from './running/until.ts'

/** What each of them heard, in order. */
export interface ChatOutcome {
  readonly ann: readonly string[]
  readonly bob: readonly string[]
  readonly carol: readonly string[]
  readonly cook: readonly string[]
  /** What dave, who came last, read of the lobby's history. */
  readonly history: readonly string[]
}

export async function chatRoom(client: Millrace): Promise<ChatOutcome> {
  const lobby = await openRoom(client, 'lobby')
  const kitchen = await openRoom(client, 'kitchen')

  // Live: they hear what is said while they are there.
  const ann = enter(lobby, 'ann')
  const cook = enter(kitchen, 'cook')
  await say(lobby, 'ann', 'is anybody here?')
  await say(kitchen, 'cook', 'the soup is ready')
  const bob = enter(lobby, 'bob')
  await say(lobby, 'bob', 'hello ann')

  // Carol has a subscription: the broker remembers how far she has heard. She leaves, things are said, and she comes again.
  await client.admin.createSubscription({ topic: lobby.name, name: 'carol', from: 'latest' })
  const heardByCarol: string[] = []
  const firstVisit = enterAgain(lobby, 'carol', heardByCarol)
  await say(lobby, 'ann', 'welcome carol')
  await until(() => heardByCarol.length === 1)
  await firstVisit.stop()
  await say(lobby, 'bob', 'where did carol go?')
  const secondVisit = enterAgain(lobby, 'carol', heardByCarol)
  await say(lobby, 'ann', 'there she is')
  await until(() => heardByCarol.length === 3)

  // Dave was not there at all, and reads what was said.
  const history: string[] = []
  for await (const message of lobby.read({ from: 'earliest', untilEnd: true })) history.push(lineOf(message))
  console.log(`[lobby] dave reads:\n  ${history.join('\n  ')}`)

  await until(() => ann.heard.length === 5 && bob.heard.length === 4 && cook.heard.length === 1)
  await Promise.all([ann.leave(), bob.leave(), cook.leave(), secondVisit.stop()])
  return { ann: ann.heard, bob: bob.heard, carol: heardByCarol, cook: cook.heard, history }
}

async function openRoom(client: Millrace, name: string): Promise<Topic> {
  const topic = `example.room.${name}`
  await client.admin.createTopic({ name: topic, retention: { ms: 7 * 86_400_000 } })
  return client.topic(topic)
}

async function say(room: Topic, from: string, text: string): Promise<void> {
  await room.publish({ from, text })
}

/** Listens from now on until it leaves. */
function enter(room: Topic, guest: string): { readonly heard: readonly string[]; leave(): Promise<void> } {
  const heard: string[] = []
  const leaving = new AbortController()
  async function listen(): Promise<void> {
    for await (const message of room.read({ from: 'latest', signal: leaving.signal })) hear(room, guest, heard, message)
  }
  const listening = listen()
  return {
    heard,
    leave: () => {
      leaving.abort()
      return listening
    },
  }
}

/** Listens from where the guest's subscription is. */
function enterAgain(room: Topic, guest: string, heard: string[]): Consumption {
  return room.subscription(guest).consume((message) => hear(room, guest, heard, message))
}

function hear(room: Topic, guest: string, heard: string[], message: StoredMessage): void {
  heard.push(lineOf(message))
  console.log(`[${room.name.slice('example.room.'.length)}] ${guest} hears ${lineOf(message)}`)
}

function lineOf(message: StoredMessage): string {
  const { from, text } = message.json() as { from: string; text: string }
  return `${from}: ${text}`
}

await run(import.meta.url, chatRoom)
