/** TLS for tests at the seam: settings as the layer above makes them, and a transport whose connections all speak TLS. */

import type { ClientTlsSettings, ServerTlsSettings, TlsIdentity, TlsSettings } from "../../src/tls.ts";
import type {
  ConnectEndpoint,
  Connection,
  ListenEndpoint,
  ListenerHandler,
  Transport,
} from "../../src/transport.ts";
import type { Authority, Identity, IdentityName } from "./authority.mjs";

/** What settings say when a program says nothing. */
export const DEFAULTS: TlsSettings = {
  ca: [],
  alpnProtocols: ["http/1.1"],
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  ciphers: undefined,
  cipherSuites: undefined,
  pins: [],
  handshakeTimeoutMs: 10_000,
  sessionResumption: undefined,
  keyLogFile: undefined,
  isKeyLogAsked: false,
  ktls: undefined,
};

/** Without the paths. */
export function identityOf({ cert, key, passphrase }: Identity): TlsIdentity {
  return { cert, key, passphrase };
}

/** Settings of a server that shows `name`. */
export function serverSettings(
  authority: Authority,
  name: IdentityName = "local",
  more: Partial<ServerTlsSettings> = {},
): ServerTlsSettings {
  const identity = identityOf(authority.identity(name));
  return { ...DEFAULTS, role: "server", identity, names: [], clientCertificate: "none", ...more };
}

/** Settings of a client that trusts the authority and looks for `localhost`. */
export function clientSettings(
  authority: Authority,
  more: Partial<ClientTlsSettings> = {},
): ClientTlsSettings {
  return {
    ...DEFAULTS,
    role: "client",
    ca: [authority.root],
    identity: undefined,
    servername: "localhost",
    rejectUnauthorized: true,
    ...more,
  };
}

/** A listener whose connections must speak TLS: a transport that ignores the setting must not pass. */
function insisting(handler: ListenerHandler): ListenerHandler {
  return {
    accepted(connection: Connection) {
      if (connection.tls() === undefined)
        throw new Error("A connection was accepted that does not speak TLS");
      return handler.accepted(connection);
    },
    failed: (error) => handler.failed(error),
  };
}

/** The same transport, but what it listens on and connects to speaks TLS. An endpoint's own `tls` goes before. */
export function secured(
  transport: Transport,
  server: ServerTlsSettings,
  client: ClientTlsSettings,
): Transport {
  return {
    kind: transport.kind,
    reason: transport.reason,
    kernels: transport.kernels,
    // Opened when it is first asked for.
    get codec() {
      return transport.codec;
    },
    canPoll: transport.canPoll,
    listen: (endpoint: ListenEndpoint, handler) =>
      transport.listen({ tls: server, ...endpoint }, insisting(handler)),
    connect: (endpoint: ConnectEndpoint, handler) => transport.connect({ tls: client, ...endpoint }, handler),
    flush: () => transport.flush(),
    exit: () => transport.exit(),
    poll: (waitUs) => transport.poll(waitUs),
    stats: () => transport.stats(),
    close: () => transport.close(),
  };
}
