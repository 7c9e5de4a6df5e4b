/** How a connection says who it is. */
import { MillraceError } from './errors.ts'
import { canScram, SCRAM_MECHANISM, type ScramClient, scramClient } from './scram.ts'

export interface HelloOptions {
  readonly clientId?: string
  readonly user?: string
  readonly password?: string
  readonly token?: string
}

/** The login of one connection. */
export interface Login {
  /** The options of `hello`. */
  readonly hello: Readonly<Record<string, string>>
  readonly scram: ScramClient | undefined
}

/** With SCRAM where the platform can, otherwise in clear, which the broker takes only where nobody else can read it. */
export function startLogin({ clientId, user, password, token }: HelloOptions): Login {
  const common: Record<string, string> = clientId === undefined ? {} : { clientId }
  if (token !== undefined) return { hello: { ...common, token }, scram: undefined }
  if (user === undefined) return { hello: common, scram: undefined }
  if (password === undefined || !canScram())
    return { hello: { ...common, user, ...(password === undefined ? {} : { password }) }, scram: undefined }
  const scram = scramClient(user, password)
  return { hello: { ...common, mechanism: SCRAM_MECHANISM, message: scram.first }, scram }
}

/** @throws MillraceError `unauthorized` for a broker that does not prove that it knows the password */
export function checkProof({ scram }: Login, proof: unknown): void {
  if (scram === undefined || scram.isProof(proof)) return
  throw new MillraceError(
    'unauthorized',
    'The broker did not prove that it knows the password: something else answers at this address.',
  )
}
