/** Counts values in buckets that grow with the value (log-linear, as HdrHistogram does), so that millions of them take a few KiB and no sorting. */
/** Buckets per doubling: a percentile is within 0.8 % of the value that stands there. */
const STEP_BITS = 6;
/** Values from 2^-10 to 2^44 are told apart: of nanoseconds 1 to five hours, of milliseconds a microsecond to centuries. */
const LOWEST_EXPONENT = -10;
const HIGHEST_EXPONENT = 44;
const BUCKETS = (HIGHEST_EXPONENT - LOWEST_EXPONENT) << STEP_BITS;
/** The upper 32 bits of a double are sign, 11 bits of exponent, 20 of mantissa: the top of those is the bucket. */
const SHIFT = 20 - STEP_BITS;
const EXPONENT_BIAS = 1_023;
const FIRST = (LOWEST_EXPONENT + EXPONENT_BIAS) << STEP_BITS;
const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
const HIGH_WORD = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;
/** The number whose upper bits are these: where a bucket begins. */
function lowerBound(bucket) {
    words[1 - HIGH_WORD] = 0;
    words[HIGH_WORD] = (bucket + FIRST) << SHIFT;
    return double[0];
}
/**
 * A histogram of positive numbers in any unit: nanoseconds, milliseconds, bytes. Recording allocates nothing and costs a few
 * nanoseconds. It takes 27 KiB.
 *
 * @example
 * ```ts
 * import { Histogram } from "ringwire/metrics";
 *
 * const latencyUs = new Histogram();
 * for (let us = 1; us <= 1_000; us++) latencyUs.record(us);
 * console.log(latencyUs.percentile(0.99)); // 990, within 0.8 %
 * ```
 *
 * @see {@link https://hdrhistogram.github.io/HdrHistogram/ | HdrHistogram}
 */
export class Histogram {
    #counts = new Float64Array(BUCKETS);
    #count = 0;
    #sum = 0;
    #min = Infinity;
    #max = 0;
    /** Number of values recorded. */
    get count() {
        return this.#count;
    }
    /** Sum of all values. */
    get sum() {
        return this.#sum;
    }
    /** The smallest value; 0 while there is none. */
    get min() {
        return this.#count === 0 ? 0 : this.#min;
    }
    /** The largest value; 0 while there is none. */
    get max() {
        return this.#max;
    }
    /** The average; 0 while there is no value. */
    get mean() {
        return this.#count === 0 ? 0 : this.#sum / this.#count;
    }
    /**
     * Counts one value.
     *
     * @param value - 0 or more; what is no number or below 0 counts as 0. Beyond 2^44 only `max`, `sum` and `mean` are exact.
     */
    record(value) {
        let counted = 0;
        // Also false for what is no number.
        if (value > 0)
            counted = value;
        double[0] = counted;
        const bucket = (words[HIGH_WORD] >>> SHIFT) - FIRST;
        this.#counts[bucket < 0 ? 0 : bucket < BUCKETS ? bucket : BUCKETS - 1]++;
        this.#count++;
        this.#sum += counted;
        if (counted < this.#min)
            this.#min = counted;
        if (counted > this.#max)
            this.#max = counted;
    }
    /**
     * The value that this share of all values is at or below, within 0.8 %; never outside of `min` and `max`. 0 while there is no value.
     *
     * @param share - 0 to 1: 0.99 for the 99th percentile.
     * @throws RangeError for another share.
     */
    percentile(share) {
        if (!(share >= 0 && share <= 1))
            throw new RangeError(`Cannot take percentile ${share}: use 0 to 1`);
        const rank = Math.max(1, Math.ceil(share * this.#count));
        if (this.#count === 0)
            return 0;
        if (rank === this.#count)
            return this.#max;
        let seen = 0;
        let bucket = 0;
        for (; bucket < BUCKETS - 1; bucket++) {
            seen += this.#counts[bucket];
            if (seen >= rank)
                break;
        }
        const middle = (lowerBound(bucket) + lowerBound(bucket + 1)) / 2;
        return Math.min(this.#max, Math.max(this.#min, middle));
    }
    /** Adds the values of another one. */
    add(other) {
        for (let bucket = 0; bucket < BUCKETS; bucket++)
            this.#counts[bucket] += other.#counts[bucket];
        this.#count += other.#count;
        this.#sum += other.#sum;
        this.#min = Math.min(this.#min, other.#min);
        this.#max = Math.max(this.#max, other.#max);
    }
    /** All figures at once. */
    snapshot() {
        return {
            count: this.#count,
            sum: this.#sum,
            min: this.min,
            max: this.#max,
            mean: this.mean,
            p50: this.percentile(0.5),
            p95: this.percentile(0.95),
            p99: this.percentile(0.99),
            p999: this.percentile(0.999),
        };
    }
    /** Forgets everything. */
    reset() {
        this.#counts.fill(0);
        this.#count = 0;
        this.#sum = 0;
        this.#min = Infinity;
        this.#max = 0;
    }
}
