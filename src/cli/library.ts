/**
 * What the program uses of the library, and the only way to it: npm has the program in a package of its own, `@ringwire/cli`, which is handed
 * this module (scripts/packages/bundle.mjs) so that there is one library in a process, wherever it was installed. Types come from where they are.
 */

export { RingwireError } from "../errors.ts";
export { Loop } from "../loop.ts";
export { COMPRESSION_MODES, COMPRESSION_NUMBERS } from "../options.ts";
export { Recorder } from "../record/recorder.ts";
export { Recording } from "../record/recording.ts";
export { Replay } from "../record/replay.ts";
export { runtime } from "../runtime/detect.ts";
export { chooseShim, openShim } from "../uring/shim.ts";
export { VERSION } from "../version.ts";
export { connect } from "../websocket/client.ts";
export { serve } from "../websocket/server.ts";
