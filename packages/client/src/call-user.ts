/** Runs a user's callback. What it throws is the user's: it becomes an uncaught exception, and the client stays sound. */
export function callUser<A extends unknown[]>(callback: ((...args: A) => unknown) | undefined, ...args: A): void {
  if (callback === undefined) return
  try {
    callback(...args)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
