import { MillraceError } from '@millrace/client'

/** Undefined when it does not exist. */
export async function existing<T>(look: Promise<T>): Promise<T | undefined> {
  try {
    return await look
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'not_found') return undefined
    throw error
  }
}
