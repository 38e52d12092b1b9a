/**
 * Decodes one socket's messages in the subprotocol `tickboard.v2` (docs/protocol.md). Times and values stay
 * in the message's own buffer: no tick or sample becomes an object. An unknown message, or one of the wrong
 * length, decodes to null, never to an error. It must not know what a socket is.
 */

import type { BoardChanged, MetricsChanged, ProblemList } from "../types.gen";
import { changedList } from "./changes";
import { parseServerMessage, type Series, seriesOf } from "./protocol";

export const SUBPROTOCOL = "tickboard.v2";

/** Consecutive ticks. Posting them to a tab costs one copy of the buffer behind `times` and `values`. */
export interface Ticks {
  type: "ticks";
  epoch: string;
  /** Whether they replace all previous ticks. */
  afresh: boolean;
  /** The series of the values, in order; null if unchanged since the previous ticks. */
  series: readonly Series[] | null;
  /** The number of the first tick; without ticks, of the next one to come. */
  first: number;
  /** Milliseconds since 1970, oldest first. */
  times: Float64Array<ArrayBuffer>;
  /** float64 [ticks, series], tick by tick; not finite if a series has no value. */
  values: Float64Array<ArrayBuffer>;
}

/** Late values for an earlier tick, whose other values stay. It is no tick and does not move the position. */
export interface Amendment {
  type: "amended";
  epoch: string;
  /** As in Ticks, but the next ticks repeat a new list, since a receiver may skip an amendment. */
  series: readonly Series[] | null;
  seq: number;
  /** float64 [series]; not finite if the tick's value stays. */
  values: Float64Array<ArrayBuffer>;
}

export type Message = Ticks | Amendment | BoardChanged | MetricsChanged | ProblemList;

const WINDOW = 1;
const TICK = 2;
const AMENDED = 3;
const RESUMED = 1;
const HEADER_BYTES = 24;

/** The number of the newest tick, 0 before the first. */
export function newestSeq(ticks: Ticks): number {
  return ticks.first + ticks.times.length - 1;
}

export class Decoder {
  /** The current layout, its epoch and its series in order. */
  #layout: { layout: number; epoch: string; series: readonly Series[] } | null = null;
  /** The series of a new layout, until ticks have carried them to the listeners. */
  #news: readonly Series[] | null = null;

  /** Decode a message from the socket: text, or binary as an ArrayBuffer. */
  receive(data: unknown): Message | null {
    if (data instanceof ArrayBuffer) return this.#binary(data);
    const message = parseServerMessage(data);
    if (message?.type === "series") {
      this.#follow(message.layout, message.epoch, seriesOf(message.series));
    } else if (message?.type === "series_changed") {
      // A full `series` message sent meanwhile already includes this change.
      if (message.before !== this.#layout?.layout) return null;
      const { removed, at, added = [] } = message;
      const series = changedList(this.#layout.series, { removed, at, added: seriesOf(added) });
      this.#follow(message.layout, message.epoch, series);
    } else return message;
    return null;
  }

  #follow(layout: number, epoch: string, series: readonly Series[]): void {
    this.#layout = { layout, epoch, series };
    this.#news = series;
  }

  #binary(data: ArrayBuffer): Ticks | Amendment | null {
    if (this.#layout === null || data.byteLength < HEADER_BYTES) return null;
    const { epoch, layout, series } = this.#layout;
    const header = new DataView(data);
    if (header.getUint32(4, true) !== layout) return null;
    const rows = rowsOf(data, header, series.length);
    if (rows === null) return null;
    const kind = header.getUint8(0);
    const first = Number(header.getBigUint64(8, true));
    const news = this.#news;
    if (kind === AMENDED) return { type: "amended", epoch, series: news, seq: first, values: rows.values };
    const afresh = kind === WINDOW && (header.getUint8(1) & RESUMED) === 0;
    this.#news = null;
    return { type: "ticks", epoch, afresh, series: news, first, ...rows };
  }
}

/**
 * The times and values of a message; null if its length does not match. Typed arrays use the machine's byte
 * order, which is the protocol's on every machine that runs a browser.
 *
 *   byte    0                 16      24               24 + 8·t
 *   window | kind … seq      | t, …  | t times        | t × n values |
 *   tick   | kind … seq      | time  | n values |     an amendment likewise
 */
function rowsOf(data: ArrayBuffer, header: DataView, width: number): Pick<Ticks, "times" | "values"> | null {
  const kind = header.getUint8(0);
  if (kind !== WINDOW && kind !== TICK && kind !== AMENDED) return null;
  const [timesAt, count] = kind === WINDOW ? [HEADER_BYTES, header.getUint32(16, true)] : [16, 1];
  const valuesAt = timesAt + 8 * count;
  if (data.byteLength !== valuesAt + 8 * count * width) return null;
  return {
    times: new Float64Array(data, timesAt, count),
    values: new Float64Array(data, valuesAt, count * width),
  };
}
