/**
 * The order in which participants run. A round measures each member of a group for a moment, A B C, and the next one C B A, so that those which are
 * compared are a fraction of a second apart. After two rounds all start afresh: two processes of the same program are not equally fast.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Rig } from "./rig.mjs";
import { conditionOf } from "./speed.mjs";

/** So many rounds with the same processes. */
const ROUNDS_OF_A_START = 2;
/** How many more rounds there may be, as a share, to make up for those in which the machine changed its speed. */
const MORE_ROUNDS = 0.5;

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
      round.push({ name, report, others, speeds: [before, await speed.read()] });
      progress(name, report);
    } catch (error) {
      failed(error.message);
      rigs.delete(name);
      await rig.stop();
    }
  }
  return round;
}

/**
 * @param groups - From participants.mjs.
 * @param how - `pairs`: rounds of one condition of a steady machine; `slice`: { warmupSeconds, seconds }; `firstSeconds`: how long a
 * process that has just been started warms up; `speed`; `failed(message)`; `progress(name, report)`; `pauseMs`: between two starts.
 * @returns Rounds in the order of time, each a list of { name, report, others, speeds }.
 */
export async function runRounds(workload, groups, how) {
  const rounds = [];
  for (const group of groups) rounds.push(...(await runGroup(workload, group, how)));
  return rounds;
}

async function runGroup(workload, group, { pairs, firstSeconds, pauseMs, ...how }) {
  const most = Math.ceil(pairs * (1 + MORE_ROUNDS));
  const counts = { near: 0, far: 0, unsteady: 0 };
  const rounds = [];
  const isOver = () => Math.max(counts.near, counts.far) >= pairs || rounds.length >= most;
  how.speed.beginGroup();
  while (!isOver()) {
    const rigs = await startAll(group, workload, how.failed);
    try {
      // Compilers have their turn, and it does not count.
      const first = { warmupSeconds: 0, seconds: firstSeconds };
      if (firstSeconds > 0) await runRound(rigs, { ...how, slice: first });
      for (let count = 0; count < ROUNDS_OF_A_START && !isOver(); count++) {
        const round = await runRound(rigs, { ...how, isBackwards: rounds.length % 2 === 1 });
        if (round.length === 0) return rounds;
        counts[conditionOf(round)]++;
        rounds.push(round);
      }
    } finally {
      await Promise.all([...rigs.values()].map((rig) => rig.stop()));
    }
    await delay(pauseMs);
  }
  return rounds;
}
