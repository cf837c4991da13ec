/**
 * The order in which participants run. A round measures each member of a group for a moment, A B C, and the next one C B A, so that those which are
 * compared are a fraction of a second apart. After two rounds all start afresh: two processes of the same program are not equally fast. Those whose ratios
 * are not well known by then go on for a while.
 */
import { setTimeout as delay } from "node:timers/promises";
import { compare } from "./compare.mjs";
import { Rig } from "./rig.mjs";

/** So many rounds with the same processes. */
const ROUNDS_OF_A_START = 2;
/** Up to where a ratio may be, as a share of itself, on either side of what is shown. */
const KNOWN_WITHIN = 0.04;
/** Once so many times the wanted pairs were unsteady, nobody waits for a steady machine any more. */
const UNSTEADY_TIMES = 2;

/** How many starts there have been, of all groups. */
let startCount = 0;

/** Starts all that can be started, by name; the others' complaints go to `failed`. */
async function startAll(participants, workload, failed) {
  const started = await Promise.allSettled(participants.map((one) => Rig.start(one, workload)));
  const rigs = new Map();
  for (const [index, { value: rig, reason }] of started.entries()) {
    if (rig) rigs.set(participants[index].name, rig);
    else failed(reason.message);
  }
  return rigs;
}

/** One slice of each, with what the speedometer said before and after it. Who fails takes no further part. */
async function runRound(rigs, { speed, slice, isBackwards, failed, progress }) {
  const round = [];
  for (const [name, rig] of isBackwards ? [...rigs].reverse() : [...rigs]) {
    try {
      const before = await speed.settle();
      const othersShare = speed.watch(rig.programs);
      const report = await rig.slice(slice);
      const others = Number(othersShare().toFixed(3));
      round.push({ name, start: startCount, report, others, speeds: [before, await speed.read()] });
      progress(name, report);
    } catch (error) {
      failed(error.message);
      rigs.delete(name);
      await rig.stop();
    }
  }
  return round;
}

/** All rounds of a start: the first slice of each warms it up. */
async function runStart(rigs, { firstSeconds, count, ...how }) {
  const rounds = [];
  // Compilers have their turn, and it does not count.
  const first = { warmupSeconds: 0, seconds: firstSeconds };
  if (firstSeconds > 0) await runRound(rigs, { ...how, slice: first });
  while (rounds.length < count)
    rounds.push(await runRound(rigs, { ...how, isBackwards: rounds.length % 2 === 1 }));
  return rounds.filter((round) => round.length > 0);
}

function isKnown({ pairs, condition, ratio, interval }, wanted) {
  // A machine that was unsteady for so long stays so.
  if (condition === "unsteady") return pairs >= UNSTEADY_TIMES * wanted;
  if (pairs < wanted || interval === undefined) return false;
  return interval[0] >= ratio * (1 - KNOWN_WITHIN) && interval[1] <= ratio * (1 + KNOWN_WITHIN);
}

/** The members of a group that still have to be measured, so that all ratios are known; `wanted`: rounds that each has to have. */
export function membersToGoOn(workload, group, rounds, wanted) {
  const known = compare(workload, group, rounds).filter((comparison) => isKnown(comparison, wanted));
  const names = new Set();
  for (const { name, peers } of group) {
    for (const peer of peers.filter((peer) => group.some((member) => member.name === peer))) {
      const count = known.filter(({ ours, theirs }) => ours === name && theirs === peer).length;
      if (count < workload.figures.length) names.add(name).add(peer);
    }
  }
  return group.filter(({ name }) => names.has(name));
}

/**
 * Measures participants that are compared with each other.
 *
 * @param group - From participants.mjs.
 * @param how - `pairs`: rounds of one condition of a steady machine; `most`: rounds at all; `slice`: { warmupSeconds, seconds }; `firstSeconds`: how long a
 * process that has just been started warms up; `speed`; `failed(message)`; `progress(name, report)`; `pauseMs`: between two starts.
 * @returns Rounds in the order of time, each a list of { name, start, report, others, speeds }.
 */
export async function runRounds(workload, group, { pairs, most, pauseMs, ...how }) {
  const rounds = [];
  let members = group;
  how.speed.beginGroup();
  while (members.length > 0 && rounds.length < most) {
    startCount++;
    const rigs = await startAll(members, workload, how.failed);
    const count = Math.min(ROUNDS_OF_A_START, most - rounds.length);
    try {
      rounds.push(...(await runStart(rigs, { ...how, count })));
    } finally {
      await Promise.all([...rigs.values()].map((rig) => rig.stop()));
    }
    const alive = members.filter(({ name }) => rigs.has(name));
    members = membersToGoOn(workload, alive, rounds, pairs);
    await delay(pauseMs);
  }
  return rounds;
}
