/**
 * Answers of history: decoded from `tickboard.history.v1` (docs/protocol.md), the binary answer of
 * `GET /api/history`, or made of the ticks of a window. Pure.
 *
 *   byte   0      4     5          8     16  24          32      36     40
 *         | TBH1 | tier | flags, 0 | from | to | resolution | series | times | times …, series … |
 */
import { type Series, seriesKey } from "../link/protocol";
import type { Range } from "../time/range";
import type { Window } from "../window/window";

/** The buckets of one series: their times begin at index `first` of the answer's times. */
export interface AnsweredSeries {
  series: Series;
  first: number;
  /** NaN where the series has no value. Ticks are buckets of one: the three are then the same array. */
  avg: Float64Array;
  min: Float64Array;
  max: Float64Array;
  /** How many values are in each bucket; null if they are ticks. */
  count: Float64Array | null;
}

export interface Answer {
  from: number;
  to: number;
  /** The length of a bucket; the board's interval if they are ticks. */
  resolutionMs: number;
  /** When each bucket begins, milliseconds since 1970, ascending. */
  times: Float64Array;
  series: AnsweredSeries[];
}

const MAGIC = 0x31_48_42_54;
const HEADER_BYTES = 40;
const SERIES_BYTES = 16;
const BUCKETS = 1;

/** @throws {Error} if it is no such answer, or is cut off. */
export function decodeAnswer(data: ArrayBuffer): Answer {
  const header = new DataView(data);
  if (data.byteLength < HEADER_BYTES || header.getUint32(0, true) !== MAGIC) {
    throw new Error("the server sent no history");
  }
  const answer: Answer = {
    from: header.getFloat64(8, true),
    to: header.getFloat64(16, true),
    resolutionMs: header.getFloat64(24, true),
    times: columnsAt(data, HEADER_BYTES, header.getUint32(36, true)),
    series: [],
  };
  let at = HEADER_BYTES + answer.times.byteLength;
  const text = new TextDecoder();
  for (let left = header.getUint32(32, true); left > 0; left--) {
    const [first, length, described] = [0, 4, 8].map((offset) => header.getUint32(at + offset, true));
    const form = header.getUint8(at + 12);
    const {
      name,
      unit,
      labels = {},
    } = JSON.parse(text.decode(new Uint8Array(data, at + SERIES_BYTES, described)));
    at += SERIES_BYTES + 8 * Math.ceil(described / 8);
    const column = (place: number) => columnsAt(data, at + 8 * length * place, length);
    const min = column(0);
    const buckets = form === BUCKETS;
    answer.series.push({
      series: { key: seriesKey(name, labels), name, unit, labels },
      ...{ first, min },
      max: buckets ? column(1) : min,
      avg: buckets ? column(2) : min,
      count: buckets ? column(3) : null,
    });
    at += 8 * length * (buckets ? 4 : 1);
  }
  return answer;
}

/** Throws a RangeError if the data ends before. */
const columnsAt = (data: ArrayBuffer, at: number, length: number) => new Float64Array(data, at, length);

/** The ticks of a window in a range, in the form of an answer. */
export function answerOf(window: Window, { from, to }: Range): Answer {
  const all = window.orderedTimes();
  const first = all.findIndex((time) => time >= from);
  const next = all.findIndex((time) => time >= to);
  const [begin, end] = [first === -1 ? all.length : first, next === -1 ? all.length : next];
  const series = window.series.map((one) => {
    const values = window.ordered(one.key).subarray(begin, end);
    return { series: one, first: 0, avg: values, min: values, max: values, count: null };
  });
  const times = all.subarray(begin, end);
  return { from, to, resolutionMs: window.intervalMs, times, series };
}
