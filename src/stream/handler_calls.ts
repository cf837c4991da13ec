/**
 * Calls of a program's handlers. Whatever one throws, or rejects with when it is async, ends in one place and harms nobody else.
 */

import { RingwireError } from "../errors.ts";

/** The handlers of one socket, stream … (`Subject`, which they get first). */
export class HandlerCalls<Subject> {
  readonly #subject: Subject;
  readonly #kind: string;
  readonly #error: ((subject: Subject, error: RingwireError) => unknown) | undefined;
  readonly #failed: (error: RingwireError) => void;

  /**
   * @param kind - Of the subject, for the message of errors: "WebSocket".
   * @param error - The handler of failures.
   * @param failed - Told of what every other handler throws, as `ERR_HANDLER`.
   */
  constructor(
    subject: Subject,
    kind: string,
    error: ((subject: Subject, error: RingwireError) => unknown) | undefined,
    failed: (error: RingwireError) => void,
  ) {
    this.#subject = subject;
    this.#kind = kind;
    this.#error = error;
    this.#failed = failed;
  }

  /** Calls a handler, if there is one. */
  call<Given extends unknown[]>(
    handler: ((subject: Subject, ...given: Given) => unknown) | undefined,
    ...given: Given
  ): void {
    if (handler === undefined) return;
    try {
      this.settle(handler(this.#subject, ...given));
    } catch (thrown) {
      this.threw(thrown);
    }
  }

  /** Takes what a handler has returned, for who calls one itself. */
  settle(result: unknown): void {
    if (result instanceof Promise) result.catch((thrown: unknown) => this.threw(thrown));
  }

  /** Takes what a handler has thrown, for who calls one itself. */
  threw(thrown: unknown): void {
    this.#failed(this.#asError(thrown));
  }

  /** Calls the handler of failures. A program without one still learns of its own bugs, on the console; a peer's faults show in `close`. */
  tell(error: RingwireError): void {
    if (this.#error === undefined) {
      if (error.code === "ERR_HANDLER") console.error(error);
      return;
    }
    const complain = (thrown: unknown): void => console.error(this.#asError(thrown));
    try {
      const result = this.#error(this.#subject, error);
      if (result instanceof Promise) result.catch(complain);
    } catch (thrown) {
      complain(thrown);
    }
  }

  #asError(thrown: unknown): RingwireError {
    return handlerError(thrown, `A ${this.#kind} handler`);
  }
}

/**
 * What a handler has thrown, as the error that is reported.
 *
 * @param what - Who threw, at the beginning of a sentence.
 */
export function handlerError(thrown: unknown, what: string): RingwireError {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new RingwireError("ERR_HANDLER", `${what} threw: ${text}`, { cause: thrown, closeCode: 1011 });
}
