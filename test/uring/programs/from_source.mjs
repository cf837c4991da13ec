/** For Bun and Deno. */
import { runtime } from "../../../src/runtime/detect.ts";
import { openUringTransport } from "../../../src/uring/uring_transport.ts";
import { run } from "./scenario.mjs";

await run(runtime, openUringTransport);
