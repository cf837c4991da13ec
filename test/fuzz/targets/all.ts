/** Every target there is, by name. */

import type { FuzzTarget } from "../target.ts";
import { decoderTarget } from "./decoder.ts";
import { deflateTarget } from "./deflate.ts";
import { deflateShimTarget } from "./deflate_shim.ts";
import { deflateTermsTarget } from "./deflate_terms.ts";
import { headTarget } from "./head.ts";
import { senderTarget } from "./sender.ts";
import { writtenHeadTarget } from "./written_head.ts";
import { wsDeflateTarget } from "./ws_deflate.ts";
import { wsReceiverTarget } from "./ws_receiver.ts";

/** See the top of this file. */
export const allTargets: readonly FuzzTarget[] = [
  decoderTarget,
  senderTarget,
  headTarget,
  writtenHeadTarget,
  wsReceiverTarget,
  deflateTermsTarget,
  deflateTarget,
  deflateShimTarget,
  wsDeflateTarget,
];
