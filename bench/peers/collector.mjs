/**
 * Loaded before a server whose memory is measured: collects its garbage at SIGUSR2, so that what is compared is what connections need, and not what nobody has
 * tidied up yet. The same on all runtimes.
 */
process.on("SIGUSR2", () => {
  const collect = globalThis.Bun === undefined ? globalThis.gc : () => Bun.gc(true);
  collect();
});
