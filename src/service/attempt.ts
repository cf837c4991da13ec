/** One attempt of an endpoint to get a connection: asks where to, dials, and sees the handshake through. */

import { RingwireError } from "../errors.ts";
import type { Engine } from "../loop.ts";
import { withoutUser } from "../protocol/url.ts";
import { handlerError } from "../stream/handler_calls.ts";
import { CallbackTimer } from "../timer_wheel.ts";
import type { ClientHandshake, Opener } from "../websocket/client_handshake.ts";
import type { Connector } from "../websocket/connector.ts";
import type { Session } from "../websocket/session.ts";
import type { EndpointUrl } from "./endpoint_options.ts";

/** Who waits for the connection. `opened` or `failed` comes exactly once, never inside `start`, and none after `giveUp`. */
export interface AttemptOwner<Data> {
  /** Where to. May throw, and may be given up inside. */
  askUrl(): EndpointUrl | Promise<EndpointUrl>;
  opened(session: Session<Data>): void;
  failed(error: RingwireError): void;
}

/** See the top of this file. */
export class Attempt<Data> implements Opener<Data> {
  /** Where it goes to, without user and password; "" before that is known. */
  url: string = "";
  readonly #engine: Engine;
  readonly #connector: Connector<Data>;
  readonly #owner: AttemptOwner<Data>;
  readonly #urlDeadline: CallbackTimer;
  #handshake: ClientHandshake<Data> | undefined = undefined;
  #isOver = false;

  constructor(engine: Engine, connector: Connector<Data>, owner: AttemptOwner<Data>) {
    this.#engine = engine;
    this.#connector = connector;
    this.#owner = owner;
    const { connectTimeoutMs } = connector;
    const fail = (code: "ERR_CONNECTION_TIMEOUT" | "ERR_NOT_OPEN", why: string): void =>
      this.failed(new RingwireError(code, `Cannot connect: ${why}`));
    this.#urlDeadline = new CallbackTimer(
      () => fail("ERR_CONNECTION_TIMEOUT", `url() did not answer within ${connectTimeoutMs} ms`),
      () => fail("ERR_NOT_OPEN", "the loop was closed"),
    );
  }

  /** Begins. A URL that is there at once is dialled before this returns, so that polled loops need no promises. */
  start(): void {
    try {
      const answer = this.#owner.askUrl();
      if (typeof answer === "string" || answer instanceof URL) this.#dial(answer);
      else this.#await(answer);
    } catch (thrown) {
      this.#engine.soon(() => this.failed(thrown));
    }
  }

  /** The owner hears nothing more. */
  giveUp(): void {
    this.#finish();
    this.#handshake?.giveUp();
  }

  // ── from the handshake ───────────────────────────────────────────────────────────────────────

  opened(session: Session<Data>): void {
    this.#finish();
    this.#owner.opened(session);
  }

  /** @param error - What is no RingwireError is the doing of `url`: it threw, or its answer is no URL. */
  failed(error: unknown): void {
    if (this.#isOver) return;
    this.#finish();
    this.#owner.failed(error instanceof RingwireError ? error : handlerError(error, "url()"));
  }

  // ── inside ───────────────────────────────────────────────────────────────────────────────────

  #await(answer: PromiseLike<EndpointUrl>): void {
    if (this.#engine.isClosed())
      throw new RingwireError("ERR_NOT_OPEN", "Cannot connect: the loop is closed");
    const { connectTimeoutMs } = this.#connector;
    this.#engine.wheel.schedule(this.#urlDeadline, this.#engine.runtime.nowMs(), connectTimeoutMs);
    Promise.resolve(answer)
      .then((url) => this.#dial(url))
      .catch((thrown: unknown) => this.failed(thrown));
  }

  #dial(url: EndpointUrl): void {
    if (this.#isOver) return;
    this.#engine.wheel.cancel(this.#urlDeadline);
    const text = String(url);
    this.url = withoutUser(text);
    this.#handshake = this.#connector.open(text, this);
  }

  #finish(): void {
    this.#isOver = true;
    this.#engine.wheel.cancel(this.#urlDeadline);
  }
}
