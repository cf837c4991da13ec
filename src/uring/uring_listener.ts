/** A listener over the ring. */

import type { ServerTlsSettings } from "../tls.ts";
import type { Address, Listener, ListenerHandler } from "../transport.ts";

/** {@link Listener} over io_uring. */
export class UringListener implements Listener {
  readonly handler: ListenerHandler;
  readonly address: Address;
  /** The shim's handle; 0 once closed. */
  handle: number;
  readonly #unlisten: (listener: UringListener) => void;
  readonly #updateTls: ((settings: ServerTlsSettings) => void) | undefined;

  /** @param updateTls - Undefined: it speaks no TLS. */
  constructor(
    handle: number,
    address: Address,
    handler: ListenerHandler,
    unlisten: (listener: UringListener) => void,
    updateTls: ((settings: ServerTlsSettings) => void) | undefined,
  ) {
    this.handler = handler;
    this.address = address;
    this.handle = handle;
    this.#unlisten = unlisten;
    this.#updateTls = updateTls;
  }

  close(): void {
    if (this.handle === 0) return;
    this.#unlisten(this);
    this.handle = 0;
  }

  updateTls(settings: ServerTlsSettings): void {
    if (this.#updateTls === undefined) throw new TypeError("Cannot update TLS: this listener has none");
    this.#updateTls(settings);
  }
}
