/**
 * What a JavaScript runtime gives us, as one interface. `bun/`, `deno/` and `node/` implement it; no other
 * file names Bun, Deno, node:* or koffi.
 */
export {};
