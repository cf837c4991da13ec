/**
 * Calls of a program's handlers. Whatever one throws, or rejects with when it is async, ends in one place and harms nobody else.
 */

import { RingwireError } from "../errors.ts";

/** A socket, a stream … whose handlers are called. */
export interface HandlerOwner<Subject> {
  /** What handlers get first. */
  readonly subject: Subject;
  /** Of the subject, for the message of errors: "WebSocket". */
  readonly kind: string;
  /** The handler of failures. */
  readonly errorHandler: ((subject: Subject, error: RingwireError) => unknown) | undefined;
  /** Told of what every other handler throws, as `ERR_HANDLER`. */
  handlerFailed(error: RingwireError): void;
}

/** Calls a handler, if there is one. */
export function callHandler<Subject, Given extends unknown[]>(
  owner: HandlerOwner<Subject>,
  handler: ((subject: Subject, ...given: Given) => unknown) | undefined,
  ...given: Given
): void {
  if (handler === undefined) return;
  try {
    settleHandler(owner, handler(owner.subject, ...given));
  } catch (thrown) {
    handlerThrew(owner, thrown);
  }
}

/** Takes what a handler has returned, for who calls one itself. */
export function settleHandler<Subject>(owner: HandlerOwner<Subject>, result: unknown): void {
  if (result instanceof Promise) result.catch((thrown: unknown) => handlerThrew(owner, thrown));
}

/** Takes what a handler has thrown, for who calls one itself. */
export function handlerThrew<Subject>(owner: HandlerOwner<Subject>, thrown: unknown): void {
  owner.handlerFailed(asError(owner, thrown));
}

/** Calls the handler of failures. A program without one still learns of its own bugs, on the console; a peer's faults show in `close`. */
export function tellError<Subject>(owner: HandlerOwner<Subject>, error: RingwireError): void {
  const { errorHandler } = owner;
  if (errorHandler === undefined) {
    if (error.code === "ERR_HANDLER") console.error(error);
    return;
  }
  const complain = (thrown: unknown): void => console.error(asError(owner, thrown));
  try {
    const result = errorHandler(owner.subject, error);
    if (result instanceof Promise) result.catch(complain);
  } catch (thrown) {
    complain(thrown);
  }
}

function asError<Subject>({ kind }: HandlerOwner<Subject>, thrown: unknown): RingwireError {
  return handlerError(thrown, `A ${kind} handler`);
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
