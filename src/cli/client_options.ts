/** The options that every command with a WebSocket of its own takes. */

import type { CompressionMode } from "../options.ts";
import type { Console } from "../runtime/console.ts";
import type { ConnectOptions } from "../websocket/client.ts";
import { type OptionValues, UsageError } from "./arguments.ts";
import { COMPRESSION_MODES } from "./library.ts";
import { clientTls } from "./tls_files.ts";

type Text = { readonly kind: "text" };
type Texts = { readonly kind: "texts" };
type Choice<Word extends string> = { readonly kind: "choice"; readonly choices: readonly Word[] };

/** For the command's table. */
export const CLIENT_OPTIONS: {
  readonly [Name in "header" | "protocol"]: Texts;
} & {
  readonly [Name in "ca" | "cert" | "key" | "servername"]: Text;
} & {
  readonly transport: Choice<"auto" | "uring" | "native">;
  readonly compression: Choice<CompressionMode>;
  readonly insecure: { readonly kind: "flag" };
} = {
  header: { kind: "texts" },
  protocol: { kind: "texts" },
  transport: { kind: "choice", choices: ["auto", "uring", "native"] },
  compression: { kind: "choice", choices: COMPRESSION_MODES },
  ca: { kind: "text" },
  cert: { kind: "text" },
  key: { kind: "text" },
  servername: { kind: "text" },
  insecure: { kind: "flag" },
};

/** What of them `connect` takes as it is. @throws UsageError for what makes no sense. */
export function readClient(
  options: OptionValues<typeof CLIENT_OPTIONS>,
  console: Console,
): Pick<ConnectOptions<undefined>, "headers" | "protocols" | "tls"> {
  const tls = clientTls(options, console);
  return {
    headers: (options.header ?? []).map(splitHeader),
    protocols: options.protocol ?? [],
    ...(tls === undefined ? {} : { tls }),
  };
}

function splitHeader(text: string): readonly [string, string] {
  const colon = text.indexOf(":");
  if (colon < 1) throw new UsageError(`Option "--header" must look like "Name: value", not "${text}"`);
  return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()];
}
