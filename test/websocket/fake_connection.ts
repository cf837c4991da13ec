/** A connection whose peer takes exactly as much as the test says: for policies that real sockets reach too late to be exact. */

import { Counters } from "../../src/metrics/counters.ts";
import type { Connection, ConnectionHandler, Transport } from "../../src/transport.ts";

/** See the top of this file. */
export class FakeConnection implements Connection {
  handler: ConnectionHandler = { opened() {}, received() {}, ended() {}, drained() {}, closed() {} };
  readonly out: Uint8Array = new Uint8Array(1 << 20);
  readonly maxReserveBytes: number = 65_536;
  /** What was committed, in order. */
  readonly commits: Uint8Array[] = [];
  /** Names of the other calls, in order. */
  readonly calls: string[] = [];
  queuedBytes = 0;
  /** What the sending side has counted. */
  readonly counters: Counters = new Counters(() => 0);
  /** How much the kernel takes at the next flush. */
  roomBytes = 0;
  flushes = 0;

  /** As much of a transport as an outbox uses. */
  get transport(): Transport {
    return {
      flush: () => {
        this.flushes++;
        const taken = Math.min(this.roomBytes, this.queuedBytes);
        this.roomBytes -= taken;
        this.queuedBytes -= taken;
      },
    } as Transport;
  }

  /** All that was sent. */
  get sent(): Uint8Array {
    const all = new Uint8Array(this.commits.reduce((sum, each) => sum + each.length, 0));
    let at = 0;
    for (const each of this.commits) {
      all.set(each, at);
      at += each.length;
    }
    return all;
  }

  reserve(sizeBytes: number): number {
    if (sizeBytes > this.maxReserveBytes) throw new RangeError(`Cannot reserve ${sizeBytes} bytes`);
    return 3;
  }

  commit(end: number): void {
    this.commits.push(this.out.slice(3, end));
    this.queuedBytes += end - 3;
  }

  pause(): void {
    this.calls.push("pause");
  }

  resume(): void {
    this.calls.push("resume");
  }

  end(): void {
    this.calls.push("end");
  }

  close(): void {
    this.calls.push("close");
  }

  abort(): void {
    this.calls.push("abort");
  }

  remoteAddress(): undefined {
    return undefined;
  }

  tls(): undefined {
    return undefined;
  }

  localAddress(): undefined {
    return undefined;
  }
}
