import type { Connection, Door, Session, SessionContext } from '../session.ts'
import { NativeSession } from './native-session.ts'

export const nativeDoor: Door = {
  name: 'native',
  accept: (connection: Connection, context: SessionContext): Session => new NativeSession(connection, context),
}
