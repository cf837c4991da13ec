/** Bun's namespace, as much of it as is used here. Its own types are not to be had where these sources are published (JSR). */
/** Undefined on other runtimes, which load these files too. */
export const bun = globalThis.Bun;
