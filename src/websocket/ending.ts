/**
 * How a socket ends: who has said goodbye, what went wrong, who wants to hear of it. Made with the first of these, so that an open socket need not have one.
 */

import type { RingwireError } from "../errors.ts";
import type { CloseInfo } from "./handlers.ts";

/** See the top of this file. */
export class Ending {
  /** What broke the connection, if anything did. */
  failure: RingwireError | undefined = undefined;
  /** `failure` has been told to the `error` handler. */
  isFailureTold: boolean = false;
  /** Whether the program closed first, or dropped the connection. */
  isByUs: boolean = false;
  /** Our Close frame is out. */
  isCloseSent: boolean = false;
  /** What the peer's Close frame said. */
  peerClose: { readonly code: number; readonly reason: string } | undefined = undefined;
  /** The last step has begun: it is taken once, although a handler that is told of the failure may drop the connection again. */
  isConcluding: boolean = false;
  /** Undefined until all is over. */
  info: CloseInfo | undefined = undefined;
  /** Told of a failure before the program is, for who will not wait for the peer to close too. */
  whenFailing: ((error: RingwireError) => void) | undefined = undefined;
  #listeners: ((info: CloseInfo) => void)[] = [];
  #gone: Promise<CloseInfo> | undefined = undefined;

  /** Whether both sides have sent a Close frame (RFC 6455 §7.1.4). */
  get isAgreed(): boolean {
    return this.peerClose !== undefined && this.isCloseSent;
  }

  /** All is over: what the program is told of it. */
  conclude(): CloseInfo {
    this.info =
      this.peerClose !== undefined && this.isCloseSent && this.failure === undefined
        ? { ...this.peerClose, wasClean: true }
        : { code: this.failure?.closeCode ?? 1006, reason: "", wasClean: false };
    return this.info;
  }

  /** Calls back once all is over; at once if it is. */
  whenClosed(listener: (info: CloseInfo) => void): void {
    if (this.info === undefined) this.#listeners.push(listener);
    else listener(this.info);
  }

  /** Resolves once all is over. */
  get gone(): Promise<CloseInfo> {
    this.#gone ??= new Promise((resolve) => this.whenClosed(resolve));
    return this.#gone;
  }

  /** Tells those who wait, after the program's handler. */
  tell(info: CloseInfo): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener(info);
  }
}
