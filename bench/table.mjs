/**
 * Figures as text, and tables of them.
 */

/** A Markdown table whose columns also line up in a terminal. */
export function table(head, rows) {
  const widths = head.map((text, column) => Math.max(text.length, ...rows.map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map((text, column) => text.padEnd(widths[column])).join(" | ")} |`;
  return [line(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.map(line)].join(
    "\n",
  );
}

export function rate(perSecond) {
  return perSecond >= 1e6 ? `${(perSecond / 1e6).toFixed(2)} M` : `${(perSecond / 1e3).toFixed(1)} k`;
}

export function microseconds(ns) {
  return (ns / 1000).toFixed(ns < 100_000 ? 1 : 0);
}

export const percent = (value) => `${value.toFixed(0)} %`;
export const whole = (value) => Math.round(value).toLocaleString("en");
export const megabytes = (bytes) => (bytes / 1e6).toFixed(0);
export const tenths = (value) => value.toFixed(1);

/** Ratios are read in two digits; large ones need none behind the point. */
export const ratioText = (ratio) => (ratio < 100 ? ratio.toFixed(2) : ratio.toFixed(0));

const TEXTS = {
  messagesPerSecond: rate,
  connectionsPerSecond: rate,
  bytesPerConnection: whole,
  sendNs: microseconds,
  echoNs: microseconds,
  recvNs: microseconds,
  p50Ns: microseconds,
};

/** A figure that counts, with its unit. */
export function figureText({ key, unit }, report) {
  return `${TEXTS[key](report[key])} ${unit}`;
}
