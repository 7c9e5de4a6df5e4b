/** Who connects, and over what. */
export interface SecurityOptions {
  /** Who to log in as; with `password`, which is not sent: SCRAM shows that both sides know it. Also part of the URL. */
  readonly user?: string
  readonly password?: string
  /** Instead of both: one that `millrace user token` made. It is sent as it is, so the broker takes it over TLS or from its own machine only. */
  readonly token?: string
  /** For `millraces:` and `wss:` URLs. By default the broker's certificate must be one that the platform trusts. */
  readonly tls?: TlsOptions
}

/** As those of `node:tls`, which say more about each. */
export interface TlsOptions {
  /** PEM: what the broker's certificate must come from. */
  readonly ca?: string | Uint8Array
  /** PEM: the certificate that says who this client is, and its key. */
  readonly cert?: string | Uint8Array
  readonly key?: string | Uint8Array
  /** The name that the certificate must have, where it is not the host of the URL. */
  readonly servername?: string
  /** `false` takes any certificate: then nothing says who is on the other side. */
  readonly rejectUnauthorized?: boolean
}
