/**
 * One of the connections that bring the same feed: what it has brought, and how far behind the others it is.
 */
import { Histogram } from "../metrics/histogram.js";
/** A line of an {@linkcode Arbiter}, and its counters. The arbiter writes them, programs read. */
export class Line {
    /** As given to the arbiter. */
    name;
    /** Place among the arbiter's lines, from 0. */
    index;
    /** Messages that came over this line before any other. */
    firsts = 0;
    /** Messages that had been taken already. */
    duplicates = 0;
    /** Messages so old that nobody could tell any more whether they had been taken; dropped. */
    late = 0;
    /** Messages that other lines brought and this one had not when they were forgotten. */
    missed = 0;
    /** Whether it is behind by more than `slowAfterMs`. */
    isSlow = false;
    /** How long after the first copy each message came, nanoseconds; 0 for those that were the first copy. */
    lag = new Histogram();
    /** Arbiters make lines. */
    constructor(name, index) {
        this.name = name;
        this.index = index;
    }
}
