/**
 * The suite that runs on all three runtimes (scripts/test.mjs). One file at a time: tests count file
 * descriptors, memory and CPU time of the process, which files in other threads would disturb.
 */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/setup/deno_worker.mjs"],
    fileParallelism: false,
    // For hangs, as all waits of tests are: slow machines are no failures.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 5_000,
  },
});
