/**
 * What the three kinds of fuzzers print, read into one form: how much ran, whether something was found, and the end of
 * the output, which says what. A run that ended in a way nobody expects counts as a finding.
 */

const DETAIL_CHARACTERS = 6000;

function outcome(status, isClean, summary, output) {
  const findings = isClean ? 0 : 1;
  const detail = status === 124 ? `${output.slice(-DETAIL_CHARACTERS)}\nstopped: it ran too long` : output;
  return { findings, summary, detail: detail.slice(-DETAIL_CHARACTERS) };
}

/** libFuzzer's output. */
export function readGuided({ status, output }) {
  const runs = /number_of_executed_units:\s*(\d+)/.exec(output)?.[1] ?? /Done (\d+) runs/.exec(output)?.[1];
  const last = [...output.matchAll(/cov: (\d+) ft: (\d+) corp: (\d+)/g)].at(-1);
  const coverage = last ? `, ${last[1]} edges, ${last[2]} features, ${last[3]} inputs` : "";
  const isClean = status === 0 && runs !== undefined;
  return outcome(status, isClean, `${runs ?? "an unknown number of"} runs${coverage}`, output);
}

/** The output of ffi/fuzz/replay.c. */
export function readReplay({ status, output }) {
  const line = /(\d+) inputs and (\d+) mixtures of them in \d+ ms, seed \d+/.exec(output);
  const isClean = status === 0 && line !== null && Number(line[1]) > 0;
  return outcome(status, isClean, line?.[0] ?? "no end", output);
}

/** A TypeScript target's output: its last line that is JSON. */
export function readProgram({ status, output }) {
  for (const line of output.trimEnd().split("\n").reverse()) {
    if (!line.startsWith("{")) continue;
    let sums;
    try {
      sums = JSON.parse(line);
    } catch {
      continue;
    }
    if (sums.skipped === true)
      return { isSkipped: true, findings: 0, summary: output.trimEnd().split("\n")[0], detail: "" };
    const count = Array.isArray(sums.findings) ? sums.findings.length : Number(sums.findings);
    const isClean = status === 0 && count === 0 && sums.runs > 0;
    return outcome(status, isClean, `${sums.runs} runs in ${sums.seconds} s`, output);
  }
  return outcome(status, false, "no sums", output);
}
