/** A listener over the ring. */
/** {@link Listener} over io_uring. */
export class UringListener {
    handler;
    address;
    /** The shim's handle; 0 once closed. */
    handle;
    #unlisten;
    #updateTls;
    /** @param updateTls - Undefined: it speaks no TLS. */
    constructor(handle, address, handler, unlisten, updateTls) {
        this.handler = handler;
        this.address = address;
        this.handle = handle;
        this.#unlisten = unlisten;
        this.#updateTls = updateTls;
    }
    close() {
        if (this.handle === 0)
            return;
        this.#unlisten(this);
        this.handle = 0;
    }
    updateTls(settings) {
        if (this.#updateTls === undefined)
            throw new TypeError("Cannot update TLS: this listener has none");
        this.#updateTls(settings);
    }
}
