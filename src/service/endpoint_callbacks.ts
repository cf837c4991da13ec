/** What an endpoint asks and tells its program. What that throws is its own matter, and costs no connection. */

import type { Engine } from "../loop.ts";
import { handlerError } from "../stream/handler_calls.ts";
import type { DisconnectReason } from "./disconnect_reason.ts";
import type { Endpoint } from "./endpoint.ts";
import type { EndpointOptions, EndpointUrl, GapEvent } from "./endpoint_options.ts";

/** See the top of this file. */
export class EndpointCallbacks<Context> {
  readonly #options: EndpointOptions<Context>;
  readonly #context: Context;
  readonly #endpoint: Endpoint<Context>;
  readonly #diagnostics: Engine["diagnostics"];

  constructor(
    options: EndpointOptions<Context>,
    context: Context,
    endpoint: Endpoint<Context>,
    diagnostics: Engine["diagnostics"],
  ) {
    this.#options = options;
    this.#context = context;
    this.#endpoint = endpoint;
    this.#diagnostics = diagnostics;
  }

  /** Where to connect to. Throws what the program throws: that costs an attempt. */
  url(): EndpointUrl | Promise<EndpointUrl> {
    const { url } = this.#options;
    return typeof url === "function" ? url.call(this.#options, this.#context, this.#endpoint) : url;
  }

  canRecreate(reason: DisconnectReason): boolean {
    const { canRecreate } = this.#options;
    return this.#ask(() => canRecreate?.call(this.#options, reason, this.#context, this.#endpoint));
  }

  canAutoDisconnect(): boolean {
    const { canAutoDisconnect } = this.#options;
    return this.#ask(() => canAutoDisconnect?.call(this.#options, this.#context, this.#endpoint));
  }

  /** @param url - Of the connection that is there now. */
  gap(event: GapEvent, url: string): void {
    if (this.#diagnostics.wants("endpoint:gap")) {
      const { reason, durationMs, attempts } = event;
      const endpoint = this.#endpoint;
      const { kind } = reason;
      this.#diagnostics.publish("endpoint:gap", { endpoint, url, kind, durationMs, attempts });
    }
    const { gap } = this.#options;
    this.#tell(() => gap?.call(this.#options, event, this.#context, this.#endpoint));
  }

  closed(reason: DisconnectReason): void {
    if (this.#diagnostics.wants("endpoint:closed")) {
      const { url, kind } = reason;
      const endpoint = this.#endpoint;
      this.#diagnostics.publish("endpoint:closed", { endpoint, url, kind, state: endpoint.state });
    }
    const { closed } = this.#options;
    this.#tell(() => closed?.call(this.#options, reason, this.#context, this.#endpoint));
  }

  #tell(call: () => unknown): void {
    try {
      const result = call();
      if (result instanceof Promise) result.catch(report);
    } catch (thrown) {
      report(thrown);
    }
  }

  /** Only `false` is a no. */
  #ask(question: () => boolean | undefined): boolean {
    let answer: boolean | undefined;
    this.#tell(() => {
      answer = question();
    });
    return answer !== false;
  }
}

function report(thrown: unknown): void {
  console.error(handlerError(thrown, "A handler of an endpoint"));
}
