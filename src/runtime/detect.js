/**
 * Which runtime this is. The folders of the others are loaded along and do nothing: choosing with `await import` would be an await
 * at the top level, which CommonJS programs (`require("ringwire")`, bundles) cannot load.
 */
import { bunRuntime } from "./bun/runtime.js";
import { denoRuntime } from "./deno/runtime.js";
import { nodeRuntime } from "./node/runtime.js";
/** The runtime this program runs on. */
export const runtime = detect();
function detect() {
    // Bun and Deno both have a `process` like Node's; their own names come first.
    if ("Bun" in globalThis)
        return bunRuntime();
    if ("Deno" in globalThis)
        return denoRuntime();
    return nodeRuntime();
}
