/**
 * TLS contexts of one transport: settings become contexts of OpenSSL. A client's are found again by what their settings say, so that
 * sessions resume although the program keeps no object between two connects.
 */

import { RingwireError, systemError } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ClientTlsSettings, ServerTlsSettings } from "../tls.ts";
import { errnoName } from "./errno.ts";
import * as layout from "./layout.ts";
import type { Shim } from "./shim.ts";
import { tlsConfig } from "./tls_config.ts";

/** Client contexts kept for the next connect; the one not used for longest goes first, with the sessions it remembers. */
const KEPT_CONTEXTS = 64;
const TEXT_BYTES = 512;
const ENOENT = 2;
const EINVAL = 22;
const EMFILE = 24;
const decoder = new TextDecoder();

/** See the top of this file. */
export class TlsContexts {
  readonly #shim: Shim;
  readonly #runtime: Pick<Runtime, "rootCertificates" | "sha256Base64">;
  /** By the digest of what their settings say, for that has private keys in it; the one used last stands last. */
  readonly #clients: Map<string, number> = new Map();
  readonly #servers: Set<number> = new Set();
  readonly #text: Uint8Array = new Uint8Array(TEXT_BYTES);

  /** @param runtime - Its roots are trusted where the system has no authorities. */
  constructor(shim: Shim, runtime: Pick<Runtime, "rootCertificates" | "sha256Base64">) {
    this.#shim = shim;
    this.#runtime = runtime;
  }

  /**
   * The context of a client, for `tls_context` of its endpoint. Good for one connect: a later one may close it.
   *
   * @throws TypeError for certificates and ciphers that OpenSSL does not take.
   */
  client(settings: ClientTlsSettings): number {
    const key = this.#runtime.sha256Base64(textOf(settings));
    let context = this.#clients.get(key);
    if (context === undefined) {
      context = this.#open(layout.TLS_CLIENT, settings);
      this.#dropOldest();
    } else {
      this.#clients.delete(key);
    }
    this.#clients.set(key, context);
    return context;
  }

  /** A context for one listener, which it updates and closes. @throws TypeError as {@link TlsContexts.client}. */
  server(settings: ServerTlsSettings): number {
    const context = this.#open(layout.TLS_SERVER, settings);
    this.#servers.add(context);
    return context;
  }

  /** Other settings for handshakes from now on. @throws TypeError as {@link TlsContexts.client}; the old ones stay then. */
  updateServer(context: number, settings: ServerTlsSettings): void {
    if (!this.#servers.has(context)) throw new TypeError("Cannot update TLS: the listener is closed");
    const result = this.#configure(settings, (config) =>
      this.#shim.rw_tls_update(context, config, config.length, this.#text, TEXT_BYTES),
    );
    if (result < 0) throw this.#error(result);
  }

  /** For a listener that closes. Handshakes that have begun keep what they need of it. */
  closeServer(context: number): void {
    if (this.#servers.delete(context)) this.#shim.rw_tls_close(context);
  }

  close(): void {
    for (const context of [...this.#clients.values(), ...this.#servers]) this.#shim.rw_tls_close(context);
    this.#clients.clear();
    this.#servers.clear();
  }

  #open(role: number, settings: ClientTlsSettings | ServerTlsSettings): number {
    const result = this.#configure(settings, (config) =>
      this.#shim.rw_tls_open(role, config, config.length, this.#text, TEXT_BYTES),
    );
    if (result < 0) throw this.#error(result);
    return result;
  }

  #configure(settings: ClientTlsSettings | ServerTlsSettings, call: (config: Uint8Array) => number): number {
    const attempt = (wanted: ClientTlsSettings | ServerTlsSettings, roots?: readonly string[]): number => {
      const config = tlsConfig(wanted, roots);
      this.#text.fill(0);
      const result = call(config);
      config.fill(0);
      return result;
    };
    const configure = (wanted: ClientTlsSettings | ServerTlsSettings): number => {
      const result = attempt(wanted);
      // The system has no authorities: a container image without ca-certificates, for instance.
      return result === -ENOENT ? attempt(wanted, this.#runtime.rootCertificates()) : result;
    };
    const result = configure(settings);
    const isKeyLogFromEnvironment = settings.keyLogFile !== undefined && !settings.isKeyLogAsked;
    // A key log that cannot be written must not cost connections of programs that have not asked for one.
    return result === -EINVAL && isKeyLogFromEnvironment
      ? configure({ ...settings, keyLogFile: undefined })
      : result;
  }

  #dropOldest(): void {
    if (this.#clients.size < KEPT_CONTEXTS) return;
    for (const [key, context] of this.#clients) {
      this.#clients.delete(key);
      this.#shim.rw_tls_close(context);
      return;
    }
  }

  #error(result: number): Error {
    const end = this.#text.indexOf(0);
    const reason = decoder.decode(this.#text.subarray(0, end < 0 ? TEXT_BYTES : end));
    if (result === -EINVAL)
      return new TypeError(`Cannot use the option "tls": ${reason || "OpenSSL refuses it"}`);
    if (result === -EMFILE) {
      return new RingwireError(
        "ERR_OUT_OF_MEMORY",
        "Cannot set up TLS: 4,095 TLS contexts are open, which is the limit",
      );
    }
    return systemError("Cannot set up TLS", errnoName(-result));
  }
}

/** What makes two clients' contexts the same: all but the name, which each connection brings, and the deadline. */
function textOf(settings: ClientTlsSettings): string {
  const { servername: _name, handshakeTimeoutMs: _deadline, isKeyLogAsked: _asked, ...rest } = settings;
  return JSON.stringify(rest);
}
