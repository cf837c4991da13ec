/** The codec over the runtime's own zlib keeps the contract. */

import { runtime } from "../../src/runtime/detect.ts";
import { codecContract } from "../protocol/codec_contract.ts";

codecContract(`zlib of ${runtime.name}`, () => runtime.openCodec(), false);
