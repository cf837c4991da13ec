/**
 * What the sockets of one server have in common (a client's socket has one to itself): each keeps one reference to it instead of copies, and is
 * lent what it needs only while it receives.
 */

import type { Engine } from "../loop.ts";
import type { Inflater } from "../protocol/codec.ts";
import { MessageDecoder } from "../protocol/message_decoder.ts";
import { ReadBatch } from "./read_batch.ts";
import type { Session } from "./session.ts";
import type { HandledSettings } from "./settings.ts";
import { Spares } from "./spares.ts";

/** See the top of this file. */
export class SessionContext<Data> {
  readonly engine: Engine;
  readonly settings: HandledSettings<Data>;
  // Copies of what every message looks at: programs' objects have shapes of their own.
  readonly onMessage: HandledSettings<Data>["handlers"]["message"];
  readonly onBatch: HandledSettings<Data>["handlers"]["batch"];
  /** Told once of each session, before its `close` handler, when its connection is gone. */
  readonly gone: (session: Session<Data>) => void;
  /** For sockets without compression, whose decoders remember nothing from message to message. */
  readonly decoders: Spares<MessageDecoder> = new Spares(() => this.openDecoder(undefined));
  readonly batches: Spares<ReadBatch>;

  constructor(
    engine: Engine,
    settings: HandledSettings<Data>,
    gone: (session: Session<Data>) => void = () => undefined,
  ) {
    this.engine = engine;
    this.settings = settings;
    this.onMessage = settings.handlers.message;
    this.onBatch = settings.handlers.batch;
    this.gone = gone;
    const { transport, runtime } = engine;
    const { readUtf8, readLatin1 } = runtime;
    this.batches = new Spares(
      () => new ReadBatch(transport.kernels, settings.zeroCopy, readUtf8, readLatin1),
    );
  }

  /** @param openInflater - What restores compressed messages; undefined: there are none. */
  openDecoder(openInflater: (() => Inflater) | undefined): MessageDecoder {
    const { isClient, maxMessageBytes, maxFragments, textAsString, delivery, zeroCopy } = this.settings;
    const { messageMemory } = this.engine;
    const isBorrowed = delivery === "batch" || (delivery === "message" && zeroCopy);
    return new MessageDecoder({
      masked: !isClient,
      maxMessageBytes,
      maxFragments,
      kernels: this.engine.transport.kernels,
      // Where a string is made of it anyway, making it is the check.
      checkText: !textAsString || delivery === "batch",
      openInflater,
      // A string has bytes of its own.
      textMemory: isBorrowed || textAsString ? messageMemory : undefined,
      binaryMemory: isBorrowed ? messageMemory : undefined,
    });
  }
}
