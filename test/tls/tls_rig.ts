/** What tests of TLS at the seam open, on each transport of this runtime, and how it is cleared up. */

import { afterAll, afterEach, describe } from "vitest";
import { runtime } from "../../src/runtime/detect.ts";
import { TLS_SUPPORT, type TlsFeature } from "../../src/runtime/tls_support.ts";
import type { ClientTlsSettings, ServerTlsSettings } from "../../src/tls.ts";
import type { Connection, Listener, Transport } from "../../src/transport.ts";
import { RawPeer } from "../conformance/raw_peer.ts";
import { Accepting, type Reactions, Recorder, until } from "../transport/recorder.ts";
import { Authority, type IdentityName, NO_OPENSSL } from "./authority.mjs";
import { type Passage, Relay } from "./relay.ts";
import { clientSettings, serverSettings } from "./secured.ts";
import { openTransport, type TransportKind, whyNot } from "./transports.ts";

const RUNTIME_NAMES = { bun: "Bun", deno: "Deno", node: "Node" } as const;

/** Registers the same tests for both transports. Without openssl they are skipped, and that is said. */
export function onEachTlsTransport(name: string, body: (rig: TlsRig) => void): void {
  if (NO_OPENSSL !== undefined) console.warn(`SKIPPED: ${name} cannot run here: ${NO_OPENSSL}`);
  for (const kind of ["uring", "native"] as const) {
    const isMissing = NO_OPENSSL !== undefined || whyNot(kind) !== undefined;
    describe.skipIf(isMissing)(`${name} over ${kind} on ${runtime.name}`, () => {
      const rig = new TlsRig(kind);
      afterEach(() => rig.clear());
      afterAll(() => rig.remove());
      body(rig);
    });
  }
}

/** A listener with its handler. */
export interface Listening {
  readonly listener: Listener;
  readonly accepting: Accepting;
}

/** See the top of this file. */
export class TlsRig {
  readonly kind: TransportKind;
  #authority: Authority | undefined = undefined;
  #transport: Transport | undefined = undefined;
  readonly #relays: Relay[] = [];
  readonly #raws: RawPeer[] = [];

  constructor(kind: TransportKind) {
    this.kind = kind;
  }

  /** Whether this is io_uring, where everything is ours to promise. */
  get isUring(): boolean {
    return this.kind === "uring";
  }

  /** Whether this transport honours a setting; what it does not, it must refuse. Over io_uring there is everything. */
  honours(feature: TlsFeature): boolean {
    return this.isUring || TLS_SUPPORT[RUNTIME_NAMES[runtime.name]][feature];
  }

  get authority(): Authority {
    this.#authority ??= new Authority();
    return this.#authority;
  }

  /** One for each test. */
  get transport(): Transport {
    this.#transport ??= openTransport(this.kind);
    return this.#transport;
  }

  /** Listens on the IPv4 loopback and shows `name`. */
  async listen(
    reactions: Reactions = {},
    settings: Partial<ServerTlsSettings> = {},
    name: IdentityName = "local",
  ): Promise<Listening> {
    const accepting = new Accepting(reactions);
    const tls = serverSettings(this.authority, name, settings);
    const address = { host: "127.0.0.1", port: 0, family: "ipv4" } as const;
    const listener = await this.transport.listen({ address, tls }, accepting);
    return { listener, accepting };
  }

  /** Begins to connect to a port of the IPv4 loopback. */
  connect(port: number, settings: Partial<ClientTlsSettings> = {}, reactions: Reactions = {}): Recorder {
    const recorder = new Recorder(reactions);
    const tls = clientSettings(this.authority, settings);
    const address = { host: "127.0.0.1", port, family: "ipv4" } as const;
    recorder.connection = this.transport.connect({ address, tls }, recorder);
    return recorder;
  }

  /** Connects and waits until both ends are there. */
  async pair(
    listening: Listening,
    settings: Partial<ClientTlsSettings> = {},
    reactions: Reactions = {},
    port: number = listening.listener.address.port,
  ): Promise<{ client: Recorder; server: Recorder }> {
    const { recorders } = listening.accepting;
    const before = recorders.length;
    const client = this.connect(port, settings, reactions);
    await until("both ends are connected", () => client.events.length > 0 && recorders.length > before);
    return { client, server: recorders[before] };
  }

  /**
   * Connects, and waits for the failure of both ends.
   *
   * @returns Their codes; the server's as `failed` tells it, or, of a connection that was accepted, as `closed` does.
   */
  async fail(
    listening: Listening,
    settings: Partial<ClientTlsSettings> = {},
  ): Promise<{ client: string; server: string; wasAccepted: boolean }> {
    const { failures, recorders } = listening.accepting;
    const [failuresBefore, acceptedBefore] = [failures.length, recorders.length];
    const client = this.connect(listening.listener.address.port, settings);
    await until("both ends have failed", () => {
      const accepted = recorders.at(acceptedBefore);
      if (accepted?.events.at(-1) === "ended") accepted.connection?.close();
      return client.closedCount > 0 && (failures.length > failuresBefore || accepted?.closedCount === 1);
    });
    const accepted = recorders.at(acceptedBefore);
    const error = accepted === undefined ? failures[failuresBefore] : accepted.error;
    const [ours, theirs] = [client.error?.code, error?.code].map((code) => code ?? "closed in order");
    return { client: ours, server: theirs, wasAccepted: accepted !== undefined };
  }

  /** A relay in front of a port. */
  async relay(to: number, begin: (passage: Passage) => void = () => undefined): Promise<Relay> {
    const relay = await Relay.open(to, begin);
    this.#relays.push(relay);
    return relay;
  }

  /** A plain TCP connection. */
  async raw(port: number): Promise<RawPeer> {
    const peer = await RawPeer.connect(port);
    this.#raws.push(peer);
    return peer;
  }

  /** A plain TCP server that never speaks TLS. Returns its port. */
  async rawServer(accepted: (peer: RawPeer) => void): Promise<number> {
    const { port, close } = await RawPeer.listen((peer) => {
      this.#raws.push(peer);
      accepted(peer);
    });
    this.#closers.push(close);
    return port;
  }
  readonly #closers: (() => Promise<void>)[] = [];

  async clear(): Promise<void> {
    this.#transport?.close();
    this.#transport = undefined;
    for (const peer of this.#raws.splice(0)) peer.reset();
    for (const relay of this.#relays.splice(0)) await relay.close();
    for (const close of this.#closers.splice(0)) await close();
  }

  remove(): void {
    this.#authority?.remove();
    this.#authority = undefined;
  }
}

/** Sends back what arrives. */
export const ECHO: Reactions = {
  received(at, bytes, start, end) {
    const connection = at.connection as Connection;
    for (let from = start; from < end; ) {
      const size = Math.min(end - from, connection.maxReserveBytes);
      const to = connection.reserve(size);
      connection.out.set(bytes.slice(from, from + size), to);
      connection.commit(to + size);
      from += size;
    }
  },
};
