/**
 * Judging a soak: what is flat and what grows, and the report.
 */

/** With fewer rests than this, growth cannot be told from warming up. */
export const MIN_RESTS = 9;
/** Memory at rest may wander by so much between the middle and the last third of a soak. */
const MEMORY_TOLERANCE_BYTES = 6 << 20;
const MEMORY_TOLERANCE_SHARE = 0.05;

/** The middle one of some numbers. */
export function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The median slope between all pairs of points: a few wild ones do not move it (Theil and Sen). */
export function slope(points) {
  const slopes = [];
  for (let one = 0; one < points.length; one++) {
    for (let other = one + 1; other < points.length; other++) {
      slopes.push((points[other].value - points[one].value) / (points[other].at - points[one].at));
    }
  }
  return slopes.length === 0 ? 0 : median(slopes);
}

/**
 * Judges a process's memory. The first third of the rests is warming up: code is compiled, pools fill, heaps find their size. From then
 * on the last third must not lie above the middle one.
 *
 * @param points - `{ at: seconds, value: bytes }` for each rest, oldest first: everything closed, garbage collected.
 * @returns Medians in bytes, the slope of all after the first third in bytes per hour, and what is wrong, if anything.
 */
export function judgeMemory(points) {
  if (points.length < MIN_RESTS) {
    const wrong = undefined;
    return {
      isJudged: false,
      middle: points.at(0)?.value,
      last: points.at(-1)?.value,
      perHour: undefined,
      wrong,
    };
  }
  const third = Math.floor(points.length / 3);
  const warm = points.slice(third);
  const values = warm.map(({ value }) => value);
  const middle = median(values.slice(0, values.length - third));
  const last = median(values.slice(-third));
  const allowed = Math.max(MEMORY_TOLERANCE_BYTES, middle * MEMORY_TOLERANCE_SHARE);
  const perHour = slope(warm) * 3_600;
  const grown = `${mib(middle)} in the middle third, ${mib(last)} in the last (${mib(perHour)} an hour)`;
  return {
    isJudged: true,
    middle,
    last,
    perHour,
    wrong: last - middle > allowed ? `memory grows: ${grown}` : undefined,
  };
}

/**
 * Judges a process's descriptors: at the last rest there are as many as at the first.
 *
 * @param counts - For each rest, oldest first.
 */
export function judgeDescriptors(counts) {
  const [first] = counts;
  const last = counts.at(-1);
  const wrong =
    last > first ? `descriptors grow: ${first} at the first rest, ${last} at the last` : undefined;
  return { first, last, wrong };
}

/** "12.3 MiB". */
export function mib(bytes) {
  return bytes === undefined ? "?" : `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}

function rows(table) {
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => String(row[column]).length)));
  return table.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? String(cell).padEnd(widths[0]) : String(cell).padStart(widths[column]),
      )
      .join("  ")
      .trimEnd(),
  );
}

/** Counts of all processes of a run whose name begins with a word. */
function sums(run, word) {
  const sum = {};
  for (const { counts } of run.members) {
    for (const [name, count] of Object.entries(counts)) {
      if (name.startsWith(word)) sum[name.slice(word.length)] = (sum[name.slice(word.length)] ?? 0) + count;
    }
  }
  return Object.entries(sum)
    .sort(([, one], [, other]) => other - one)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

/** The report of some runs as text. */
export function asText(title, runs) {
  const lines = [title, ""];
  for (const run of runs) {
    const total = (name) => run.members.reduce((sum, { counts }) => sum + (counts[name] ?? 0), 0);
    lines.push(
      `${run.runtime} over ${run.transports.join(" and ")}, ${(run.seconds / 60).toFixed(1)} minutes, ` +
        `${run.isCompressed ? "with" : "without"} compression, TLS ${run.tls}: ${run.failures.length === 0 ? "ok" : "FAILED"}`,
      `  ${total("connections")} connections at both ends, ${total("compressed connections")} of them compressed, ${total("messages verified")} messages verified by clients ` +
        `(${mib(total("bytes verified"))}), ${total("messages received")} by the server (${mib(total("bytes received"))})`,
      `  lives: ${sums(run, "life ")}`,
      `  closes: ${sums(run, "closed ")}`,
      `  errors, all where they belong: ${sums(run, "error ") || "none"}`,
      ...(run.tls === "off"
        ? []
        : [
            `  TLS, clients' ends: ${sums(run, "TLS connections, ")}; certificates changed ${total("certificates changed")} times; ` +
              `failed handshakes: ${sums(run, "failed handshakes, ") || "none"}`,
          ]),
      `  pings ${total("pings")}, pongs ${total("pongs")}; waited for drain: server ${total("server waited for drain")}, ` +
        `clients ${total("client waited for drain")}; CPU ${(run.cpuShare * 100).toFixed(0)} % of a core at pace ${run.lastPace.toFixed(2)}`,
      `  given up unheard by the strict server ${total("given up unheard by the strict server")}, ` +
        `not judged because the clock jumped ${total("not judged, the clock jumped")}`,
      "",
    );
    const table = [
      ["", "rests", "RSS middle", "RSS last", "per hour", "RSS most", "fds first", "fds last", "fds most"],
    ];
    for (const member of run.members) {
      const { memory, descriptors } = member;
      table.push([
        `  ${member.name}`,
        member.rests,
        mib(memory.middle),
        mib(memory.last),
        memory.isJudged ? mib(memory.perHour) : "too short",
        mib(member.mostBytes),
        descriptors.first ?? "?",
        descriptors.last ?? "?",
        member.mostDescriptors,
      ]);
    }
    lines.push(...rows(table), "");
    for (const failure of run.failures.slice(0, 40)) lines.push(`  FAILED  ${failure}`);
    if (run.failures.length > 40) lines.push(`  … and ${run.failures.length - 40} more`);
    for (const note of run.notes.slice(0, 20)) lines.push(`  note    ${note}`);
    if (run.failures.length > 0 || run.notes.length > 0) lines.push("");
  }
  const failed = runs.filter(({ failures }) => failures.length > 0);
  lines.push(
    failed.length === 0
      ? `All ${runs.length} ok: nothing lost, nothing altered, nothing growing.`
      : `FAILED: ${failed.map(({ runtime }) => runtime).join(", ")}`,
  );
  return `${lines.join("\n")}\n`;
}
