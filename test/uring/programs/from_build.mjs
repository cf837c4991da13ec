/** For Node, which gets the sources as JavaScript. */
import { runtime } from "../../../build/test-sources/runtime/detect.js";
import { openUringTransport } from "../../../build/test-sources/uring/uring_transport.js";
import { run } from "./scenario.mjs";

await run(runtime, openUringTransport);
