/**
 * TLS over the sockets of node:net, through node:tls: on all three runtimes. Bun's own `Bun.listen` and `Bun.connect` and Deno's own
 * `Deno.listenTls` and `Deno.connectTls` tell less of what was agreed on and of what went wrong; their node:tls tell nearly as much as Node's.
 */

import type { Socket } from "node:net";
import { isIP } from "node:net";
import { connect, type PeerCertificate, TLSSocket, type TLSSocketOptions } from "node:tls";
import { RingwireError } from "../errors.ts";
import type { ClientTlsSettings, ServerTlsSettings } from "../tls.ts";
import { tlsError } from "../tls_errors.ts";
import type { ConnectEndpoint, ListenEndpoint } from "../transport.ts";
import { keyLogOf } from "./key_log.ts";
import { type NetRuntime, openServer, openSocket, SocketAddresses } from "./net_endpoint.ts";
import { chainOf, faultOf, hasPin, isWeak, nameFault } from "./peer_certificate.ts";
import type {
  NativeConnecting,
  NativeListener,
  NativeSocket,
  NativeSocketHandler,
  NativeSockets,
} from "./runtime.ts";
import { endpointText, lostText, socketFailure } from "./socket_failure.ts";
import { clientContext, newTicketSecret, ServerContexts, settingsKey } from "./tls_context.ts";
import { verificationCode } from "./tls_failure.ts";
import { type ClientSession, SessionCache } from "./tls_sessions.ts";
import { TlsSocket } from "./tls_socket.ts";
import { checkTlsSupport, TLS_SUPPORT } from "./tls_support.ts";
import { VerifiedCertificates } from "./verified_certificates.ts";

/** Handshakes under way at once on one listener. A peer has to do nothing for one but connect. */
const MAX_HANDSHAKES = 4_096;

const sessions = new SessionCache();

// ── listening ────────────────────────────────────────────────────────────────────────────────────

/** See {@link NativeSockets.listen}. */
export async function listenTls(
  runtime: NetRuntime,
  endpoint: ListenEndpoint,
  settings: ServerTlsSettings,
  accepted: (socket: NativeSocket) => NativeSocketHandler,
  failed: Parameters<NativeSockets["listen"]>[2],
): Promise<NativeListener> {
  const acceptor = new TlsAcceptor(runtime, endpoint, settings, accepted, failed);
  const { server, address } = await openServer(runtime, endpoint, (raw) => acceptor.begin(raw), failed);
  return {
    address,
    close(): void {
      server.close();
      acceptor.close();
    },
    updateTls: (next) => acceptor.update(next),
  };
}

/** Shakes hands with those who come. */
class TlsAcceptor {
  readonly #runtime: NetRuntime;
  readonly #endpoint: ListenEndpoint;
  readonly #accepted: (socket: NativeSocket) => NativeSocketHandler;
  readonly #failed: (error: RingwireError) => void;
  readonly #ticketSecret: Uint8Array = newTicketSecret();
  readonly #handshakes: Set<TlsSocket> = new Set();
  /** Certificates of clients that were verified under the settings of now. */
  #verified: VerifiedCertificates = new VerifiedCertificates();
  #contexts: ServerContexts;
  #keyLog: ((line: Uint8Array) => void) | undefined;

  constructor(
    runtime: NetRuntime,
    endpoint: ListenEndpoint,
    settings: ServerTlsSettings,
    accepted: (socket: NativeSocket) => NativeSocketHandler,
    failed: (error: RingwireError) => void,
  ) {
    checkTlsSupport(runtime.name, settings);
    this.#runtime = runtime;
    this.#endpoint = endpoint;
    this.#accepted = accepted;
    this.#failed = failed;
    this.#keyLog = keyLogFor(runtime, settings);
    this.#contexts = new ServerContexts(runtime.name, settings, this.#ticketSecret);
  }

  update(settings: ServerTlsSettings): void {
    checkTlsSupport(this.#runtime.name, settings);
    const keyLog = keyLogFor(this.#runtime, settings);
    this.#contexts = new ServerContexts(this.#runtime.name, settings, this.#ticketSecret);
    this.#verified = new VerifiedCertificates();
    this.#keyLog = keyLog;
  }

  close(): void {
    for (const handshake of this.#handshakes) handshake.giveUp();
    this.#handshakes.clear();
  }

  begin(raw: Socket): void {
    const action = "Cannot accept a TLS connection";
    if (this.#handshakes.size >= MAX_HANDSHAKES) {
      raw.on("error", () => {});
      raw.destroy();
      const why = `${MAX_HANDSHAKES} handshakes are under way`;
      this.#failed(new RingwireError("ERR_TOO_MANY_CONNECTIONS", `${action}: ${why}`));
      return;
    }
    const contexts = this.#contexts;
    const { settings } = contexts;
    const socket = this.#secure(raw, contexts);
    const own = new TlsSocket({
      runtime: this.#runtime,
      socket,
      raw,
      addresses: new SocketAddresses(raw, this.#endpoint.address, false),
      isServer: true,
      timeoutMs: settings.handshakeTimeoutMs,
      action,
      lost: lostText(undefined),
      servername: "",
      verify: () => this.#clientFault(socket, settings, action),
      opened: (opened) => {
        this.#handshakes.delete(own);
        return this.#accepted(opened);
      },
      failed: (error) => {
        this.#handshakes.delete(own);
        this.#failed(error);
      },
    });
    this.#handshakes.add(own);
  }

  #secure(raw: Socket, contexts: ServerContexts): TLSSocket {
    const { clientCertificate, alpnProtocols } = contexts.settings;
    const options: TLSSocketOptions = {
      isServer: true,
      secureContext: contexts.main,
      requestCert: clientCertificate !== "none",
      // Has the client told that there must be one. Whether it is valid is for us to see; Bun would refuse it without a reset.
      rejectUnauthorized: clientCertificate === "require" && this.#runtime.name !== "Bun",
    };
    if (alpnProtocols.length > 0) options.ALPNProtocols = [...alpnProtocols];
    if (contexts.hasNames) options.SNICallback = (name, answer) => answer(null, contexts.find(name));
    const socket = new TLSSocket(raw, options);
    if (this.#keyLog !== undefined) socket.on("keylog", this.#keyLog);
    return socket;
  }

  /** What is wrong with a client's certificate, or undefined. */
  #clientFault(
    socket: TLSSocket,
    { ca, clientCertificate, pins }: ServerTlsSettings,
    action: string,
  ): RingwireError | undefined {
    if (clientCertificate === "none") return undefined;
    const certificate = socket.getPeerCertificate(false)?.raw as Buffer | undefined;
    if (certificate === undefined) {
      const isNeeded = clientCertificate === "require" || pins.length > 0;
      return isNeeded ? tlsError("ERR_TLS_NO_CERTIFICATE", action) : undefined;
    }
    const forgets = this.#runtime.tls?.forgetsVerification === true;
    if (forgets && socket.isSessionReused() && !this.#verified.has(certificate)) {
      return tlsError(
        "ERR_TLS_CERTIFICATE",
        action,
        "a resumed session whose first handshake is not known here",
      );
    }
    const result = verificationResult(socket);
    if (result !== "") {
      const code = verificationCode(result) ?? "ERR_TLS_CERTIFICATE";
      return tlsError(faultOf(code, socket, "client", ca, Date.now()), action, result);
    }
    if (this.#runtime.tls?.verifiesLate === true && isWeak(socket)) {
      return tlsError("ERR_TLS_CERTIFICATE", action, "its key is too small");
    }
    if (pins.length > 0 && !hasPin(chainOf(socket), pins)) return tlsError("ERR_TLS_PIN_MISMATCH", action);
    if (forgets) this.#verified.add(certificate);
    return undefined;
  }
}

/** OpenSSL's name for what is wrong with the peer's chain; "" for nothing. Only `tls.Server` makes a public property of it. */
function verificationResult(socket: TLSSocket): string {
  const { ssl } = socket as unknown as { ssl?: { verifyError?(): unknown } };
  if (typeof ssl?.verifyError !== "function") return "UNSPECIFIED";
  const result = ssl.verifyError();
  // Node and Bun: an error or null. Deno: a string.
  if (result === null || result === undefined) return "";
  return typeof result === "string" ? result : String((result as { code?: unknown }).code);
}

// ── connecting ───────────────────────────────────────────────────────────────────────────────────

/** See {@link NativeSockets.connect}. */
export function connectTls(
  runtime: NetRuntime,
  endpoint: ConnectEndpoint,
  settings: ClientTlsSettings,
  handler: NativeSocketHandler,
): NativeConnecting {
  checkTlsSupport(runtime.name, settings);
  const { address } = endpoint;
  const action = `Cannot connect to ${endpointText(address)}`;
  const context = clientContext(runtime.name, settings);
  const keyLog = keyLogFor(runtime, settings);
  const raw = openSocket(runtime, endpoint, action);
  const addresses = new SocketAddresses(raw, address, true);
  let handshake: TlsSocket | undefined;
  let isOver = false;
  const refused = (error: unknown): void => {
    if (handshake !== undefined || isOver) return;
    isOver = true;
    handler.closed(socketFailure(action, error));
  };
  raw.on("error", refused);
  raw.once("connect", () => {
    if (isOver) return;
    const { servername, rejectUnauthorized, alpnProtocols } = settings;
    const sentName = isIP(servername) === 0 ? servername : "";
    const sessionKey = `${endpointText(address)} ${settingsKey(settings)}`;
    const resumes = settings.sessionResumption !== false && TLS_SUPPORT[runtime.name].sessionResumption;
    const session = resumes ? sessions.take(sessionKey) : undefined;
    const socket = connect({
      socket: raw,
      secureContext: context,
      // Node warns of addresses here, and they are never sent (RFC 6066 §3).
      servername: sentName,
      rejectUnauthorized: rejectUnauthorized && runtime.tls?.verifiesLate !== true,
      checkServerIdentity: (_host: string, certificate: PeerCertificate) => nameFault(settings, certificate),
      ...(alpnProtocols.length > 0 && { ALPNProtocols: [...alpnProtocols] }),
      ...(session !== undefined && { session }),
    });
    if (keyLog !== undefined) socket.on("keylog", keyLog);
    const good = resumes ? keepSessions(socket, sessionKey) : undefined;
    handshake = new TlsSocket({
      runtime,
      socket,
      raw,
      addresses,
      isServer: false,
      timeoutMs: settings.handshakeTimeoutMs,
      action,
      lost: lostText(address),
      servername: sentName,
      verify: () => serverFault(runtime, socket, settings, action),
      opened: (opened) => {
        good?.();
        handler.opened(opened);
        return handler;
      },
      failed: (error) => handler.closed(error),
    });
  });
  return {
    giveUp(): void {
      isOver = true;
      if (handshake === undefined) raw.destroy();
      else handshake.giveUp();
    },
    remoteAddress: () => (handshake === undefined ? undefined : addresses.remote()),
  };
}

/** Remembers the sessions of a connection once it is known to be good: the first ones may come before. Returns who is to be told that. */
function keepSessions(socket: TLSSocket, key: string): () => void {
  let isGood = false;
  let early: ClientSession[] = [];
  socket.on("session", (bytes: Buffer) => {
    const session = { bytes, isSingleUse: socket.getProtocol() === "TLSv1.3" };
    if (isGood) sessions.put(key, session);
    else early.push(session);
  });
  return () => {
    isGood = true;
    for (const session of early) sessions.put(key, session);
    early = [];
  };
}

/** What is wrong with a server that the runtime has taken, or undefined. */
function serverFault(
  runtime: NetRuntime,
  socket: TLSSocket,
  { ca, pins, rejectUnauthorized }: ClientTlsSettings,
  action: string,
): RingwireError | undefined {
  if (rejectUnauthorized && !socket.authorized) {
    const result = String(socket.authorizationError);
    const code = verificationCode(result) ?? "ERR_TLS_CERTIFICATE";
    return tlsError(faultOf(code, socket, "server", ca, Date.now()), action, result);
  }
  // A resumed session was begun under the same settings, and was good then.
  if (socket.isSessionReused()) return undefined;
  // OpenSSL's security level sees to that on Node.
  if (rejectUnauthorized && runtime.tls?.verifiesLate === true && isWeak(socket)) {
    return tlsError("ERR_TLS_CERTIFICATE", action, "its key is too small");
  }
  if (pins.length === 0) return undefined;
  const chain = chainOf(socket);
  // Without verification anybody may append the certificate whose key is pinned; only its own is proved.
  const proved = rejectUnauthorized ? chain : chain.slice(0, 1);
  return hasPin(proved, pins) ? undefined : tlsError("ERR_TLS_PIN_MISMATCH", action);
}

/** Takes the lines of a key log; one of the environment is left alone where the runtime cannot write it. */
function keyLogFor(
  runtime: NetRuntime,
  settings: ClientTlsSettings | ServerTlsSettings,
): ((line: Uint8Array) => void) | undefined {
  return TLS_SUPPORT[runtime.name].keyLogFile ? keyLogOf(settings) : undefined;
}
