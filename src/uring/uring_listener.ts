/** A listener over the ring. */

import type { Address, Listener, ListenerHandler } from "../transport.ts";

/** {@link Listener} over io_uring. */
export class UringListener implements Listener {
  readonly handler: ListenerHandler;
  readonly address: Address;
  /** The shim's handle; 0 once closed. */
  handle: number;
  readonly #unlisten: (listener: UringListener) => void;

  constructor(
    handle: number,
    address: Address,
    handler: ListenerHandler,
    unlisten: (listener: UringListener) => void,
  ) {
    this.handler = handler;
    this.address = address;
    this.handle = handle;
    this.#unlisten = unlisten;
  }

  close(): void {
    if (this.handle === 0) return;
    this.#unlisten(this);
    this.handle = 0;
  }

  updateTls(): void {
    throw new TypeError("Cannot update TLS: this listener has none");
  }
}
