/** Runs `task` once the events that are waiting have been handled. Node has a phase for it; elsewhere a message to oneself comes closest. */
export const endOfTurn: (task: () => void) => void =
  typeof setImmediate === 'function' ? (task) => void setImmediate(task) : byMessage()

/** What a timer can wait, about 25 days. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** A timer that does not keep the process running. */
export function quietTimer(delayMs: number, task: () => void): () => void {
  // Longer ones would run at once.
  const timer: unknown = setTimeout(task, Math.min(delayMs, TIMER_MS_MAX))
  unref(timer)
  return () => clearTimeout(timer as number)
}

/** As `quietTimer`, again and again. */
export function quietInterval(periodMs: number, task: () => void): () => void {
  const timer: unknown = setInterval(task, periodMs)
  unref(timer)
  return () => clearInterval(timer as number)
}

function unref(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function') timer.unref()
}

function byMessage(): (task: () => void) => void {
  const tasks: (() => void)[] = []
  const { port1, port2 } = new MessageChannel()
  port1.addEventListener('message', () => tasks.shift()?.())
  port1.start()
  return (task) => {
    tasks.push(task)
    port2.postMessage(undefined)
  }
}
