/** The runtime's end of the wake-up socket where it takes a while to connect: what is asked of it meanwhile is done then. */
/** See the top of this file. */
export class WakeConnection {
    #end;
    #failed;
    #connection = undefined;
    #isAlive = false;
    #isClosed = false;
    /**
     * @param end - Closes a connection.
     * @param failed - Told what went wrong, unless it was closed before.
     */
    constructor(end, failed) {
        this.#end = end;
        this.#failed = failed;
    }
    get isClosed() {
        return this.#isClosed;
    }
    /** The connection stands. Returns false when nobody wants it any more. */
    connected(connection) {
        if (this.#isClosed) {
            this.#end(connection);
            return false;
        }
        this.#connection = connection;
        if (!this.#isAlive)
            connection.unref();
        return true;
    }
    fail(error) {
        if (!this.#isClosed)
            this.#failed(error);
    }
    setAlive(alive) {
        this.#isAlive = alive;
        if (alive)
            this.#connection?.ref();
        else
            this.#connection?.unref();
    }
    close() {
        if (this.#isClosed)
            return;
        this.#isClosed = true;
        if (this.#connection !== undefined)
            this.#end(this.#connection);
        this.#connection = undefined;
    }
}
