/**
 * What our pictures share: SVG without a library, small, the same bytes for the same figures, readable on light and dark pages.
 */

const STYLE = `
text{font:12px system-ui,sans-serif;fill:#1f2328}
.title{font-weight:600;font-size:13px}
.quiet{fill:#59636e}
.end{text-anchor:end}.middle{text-anchor:middle}
.card{fill:#fff;stroke:#d1d9e0}
.grid{stroke:#d1d9e0;fill:none}
.mark{stroke:#1f2328;fill:none}
@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.quiet{fill:#9198a1}.card{fill:#0d1117;stroke:#3d444d}.grid{stroke:#3d444d}.mark{stroke:#f0f6fc}}
`.trim();

/** Told apart by those who see fewer colours, too; the third column is for what is neither ours nor a runtime's. */
const COLOURS = { bun: "#d97b1f", deno: "#2f8fd0", node: "#12946b", other: "#8b6fc9", limit: "#7d8590" };
const OWNERS = { "Bun.serve": "bun", "Deno.serve": "deno", ws: "node", undici: "node", "C limit": "limit" };

/** The colour of a participant: its runtime's. */
export function colourOf(name) {
  const [first] = name.split(" ");
  return COLOURS[OWNERS[name] ?? (Object.hasOwn(COLOURS, first) ? first : "other")];
}

/** How a participant's line is dashed: ours over io_uring not at all, or hardly where it is set otherwise. */
export function dashesOf(name) {
  if (name.endsWith(" uring")) return undefined;
  if (name.includes(" uring, ")) return "12 3";
  return name.endsWith(" native") ? "7 3" : "2 3";
}

const escapeXml = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** An element; attributes that are undefined are left out, numbers lose needless digits. */
export function element(name, attributes, content = "") {
  const words = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) =>
        ` ${key}="${typeof value === "number" ? Number(value.toFixed(1)) : escapeXml(value)}"`,
    )
    .join("");
  return content === "" ? `<${name}${words}/>` : `<${name}${words}>${content}</${name}>`;
}

export function text(x, y, content, className) {
  return element("text", { x, y, class: className }, escapeXml(content));
}

/** The picture on its card. */
export function chart(width, height, title, parts) {
  const card = element("rect", {
    class: "card",
    x: 0.5,
    y: 0.5,
    width: width - 1,
    height: height - 1,
    rx: 6,
  });
  const body = [
    `<title>${escapeXml(title)}</title>`,
    `<style>${STYLE}</style>`,
    card,
    text(16, 24, title, "title"),
    ...parts,
  ];
  const size = { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${width} ${height}`, width, height };
  return `${element("svg", { ...size, role: "img" }, body.join("\n"))}\n`;
}

/** Where a value lies between two ends of a scale of powers. */
export function powerScale(least, most, from, to) {
  const begin = Math.log(least);
  const length = Math.log(most) - begin;
  return (value) => from + ((Math.log(value) - begin) / length) * (to - from);
}

/** 1, 2 and 5 times each power of ten between two values. */
export function ticksBetween(least, most) {
  const ticks = [];
  for (let power = 10 ** Math.floor(Math.log10(least)); power <= most; power *= 10) {
    for (const factor of [1, 2, 5]) {
      // Powers below one are not exact.
      const tick = Number((power * factor).toPrecision(3));
      if (tick >= least && tick <= most) ticks.push(tick);
    }
  }
  return ticks;
}
