/** The binary subprotocol to the byte: what fits is read where it lies, and what does not fit is nothing. */
import { beforeEach, describe, expect, it } from "vitest";
import { Decoder, newestSeq, type Ticks } from "../src/link/decoder";
import { series, seriesList, tick, tickBytes, ticks, windowBytes, windowOf } from "./world";

const CPU_AND_DISK = [series("cpu"), series("disk", { mount: "/" })];

/** The bytes that are written here as hexadecimal digits, with spaces as one likes. */
function bytes(...parts: string[]): ArrayBuffer {
  const digits = parts.join("").replaceAll(" ", "").match(/../g) ?? [];
  return Uint8Array.from(digits, (pair) => Number.parseInt(pair, 16)).buffer;
}

const TICK = bytes(
  "02 00 0000 07000000 0201000001000000", // a tick of layout 7, 4,294,967,554
  "00 00 00 00 00 40 8f 40", // 1000 ms
  "0000000000002540 000000000000f8bf", // 10.5 and -1.5
);

const AMENDED = bytes(
  "03 00 0000 07000000 0201000001000000", // an amendment of that tick
  "00 00 00 00 00 40 8f 40", // 1000 ms
  "000000000000f87f 0000000000000440", // as it was, and 2.5
);

const WINDOW = bytes(
  "01 00 0000 07000000 0900000000000000", // a window of layout 7, from 9 on
  "02000000 00000000", // two ticks, none skipped
  "0000000000408f40 0000000000409f40", // 1000 ms, 2000 ms
  "000000000000f03f 0000000000000040 0000000000000840 000000000000f87f", // 1 and 2, 3 and none
);

describe("a decoder", () => {
  let decoder: Decoder;
  const receive = (data: unknown): Ticks | null => {
    const message = decoder.receive(data);
    if (message !== null && message.type !== "ticks") throw new Error(`a message ${message.type}`);
    return message;
  };

  beforeEach(() => {
    decoder = new Decoder();
    decoder.receive(JSON.stringify(seriesList(CPU_AND_DISK, "e", 7)));
  });

  it("reads a tick to the byte", () => {
    expect(receive(TICK)).toEqual({
      type: "ticks",
      epoch: "e",
      afresh: false,
      series: CPU_AND_DISK,
      first: 4_294_967_554,
      times: Float64Array.of(1000),
      values: Float64Array.of(10.5, -1.5),
    });
  });

  it("reads a window to the byte", () => {
    expect(receive(WINDOW)).toEqual({
      type: "ticks",
      epoch: "e",
      afresh: true,
      series: CPU_AND_DISK,
      first: 9,
      times: Float64Array.of(1000, 2000),
      values: Float64Array.of(1, 2, 3, Number.NaN),
    });
  });

  it("reads an amendment to the byte, as a message of its own", () => {
    receive(TICK);
    expect(decoder.receive(AMENDED)).toEqual({
      type: "amended",
      epoch: "e",
      series: null,
      seq: 4_294_967_554,
      values: Float64Array.of(Number.NaN, 2.5),
    });
  });

  it("says what an amendment is of, and then says it of the ticks after it too", () => {
    expect(decoder.receive(AMENDED)).toMatchObject({ series: CPU_AND_DISK });
    expect(decoder.receive(AMENDED)).toMatchObject({ series: CPU_AND_DISK });
    expect(receive(TICK)?.series).toEqual(CPU_AND_DISK);
    expect(decoder.receive(AMENDED)).toMatchObject({ series: null });
  });

  it("knows the series by what has changed of them, and keeps the objects of the others", () => {
    const [cpu] = receive(TICK)?.series ?? [];
    const change = { type: "series_changed", layout: 8, before: 7, epoch: "e", removed: [1], at: [1] };
    expect(decoder.receive(JSON.stringify({ ...change, added: [{ name: "heat", unit: "%" }] }))).toBeNull();
    const told = receive(tickBytes(tick(3, { cpu: 1, heat: 2 }), 8))?.series;
    expect(told).toEqual([series("cpu"), series("heat")]);
    expect(told?.[0]).toBe(cpu);
  });

  it("leaves out a change of other series than it knows", () => {
    for (const before of [6, 8]) {
      const change = { type: "series_changed", layout: 9, before, epoch: "e", removed: [0] };
      expect(decoder.receive(JSON.stringify(change))).toBeNull();
    }
    expect(receive(TICK)?.series).toEqual(CPU_AND_DISK);
  });

  it("takes an amendment of another length or layout for nothing", () => {
    for (const length of [0, 16, 24, AMENDED.byteLength - 1])
      expect(decoder.receive(AMENDED.slice(0, length))).toBeNull();
    decoder.receive(JSON.stringify(seriesList(CPU_AND_DISK, "e", 8)));
    expect(decoder.receive(AMENDED)).toBeNull();
  });

  it("leaves the values where they came, in one buffer that is posted once", () => {
    const { times, values } = structuredClone(receive(WINDOW)) as Ticks;
    expect(receive(WINDOW)?.values.buffer).toBe(WINDOW);
    expect(values.buffer).toBe(times.buffer);
    expect(values.buffer.byteLength).toBe(WINDOW.byteLength);
  });

  it("says what ticks are of only when that is new", () => {
    expect(receive(TICK)?.series).toEqual(CPU_AND_DISK);
    expect(receive(TICK)?.series).toBeNull();
    decoder.receive(JSON.stringify(seriesList([series("load")], "f", 8)));
    expect(receive(tickBytes(tick(5, { load: 1 }), 8))).toMatchObject({
      epoch: "f",
      series: [series("load")],
    });
  });

  it("tells a resumed window, and knows no other flag", () => {
    const resumed = ticks(CPU_AND_DISK, 3, [[1, 2]]);
    expect(receive(windowBytes(resumed, 7))?.afresh).toBe(false);
    for (const [flags, afresh] of [
      [0xfe, true],
      [0xff, false],
    ] as const) {
      const data = windowBytes(resumed, 7);
      new DataView(data).setUint8(1, flags);
      expect(receive(data)?.afresh).toBe(afresh);
    }
  });

  it("reads the window of a viewer that was skipped like any other", () => {
    const window = windowOf("e", [tick(4, { cpu: 1, disk: 2 })]);
    expect(receive(windowBytes(window, 7, 12))).toMatchObject({ first: 4, afresh: true });
  });

  it.each([
    [1, true, 0],
    [8, false, 7],
  ])("reads an empty window that starts at %i", (first, afresh, newest) => {
    const empty = receive(windowBytes(ticks([], first, [], { afresh }), 7));
    expect(empty).toMatchObject({ first, afresh });
    expect(empty?.times).toHaveLength(0);
    expect(newestSeq(empty as Ticks)).toBe(newest);
  });

  it("reads ticks of no series at all", () => {
    decoder.receive(JSON.stringify(seriesList([], "e", 8)));
    expect(Array.from(receive(windowBytes(ticks([], 1, [[], []]), 8))?.times ?? [])).toEqual([1000, 2000]);
    expect(receive(tickBytes(tick(3, {}), 8))).toMatchObject({ first: 3, values: new Float64Array() });
  });

  it("gives values that are none, or whole numbers of up to 2^53, as they are", () => {
    const data = tickBytes(ticks(CPU_AND_DISK, 1, [[Number.NaN, 20_000_001]]), 7);
    expect(receive(data)?.values).toEqual(Float64Array.of(Number.NaN, 20_000_001));
    const largest = tickBytes(ticks(CPU_AND_DISK, 2, [[2 ** 53 - 1, 1_796_000_000.123]]), 7);
    expect(receive(largest)?.values).toEqual(Float64Array.of(2 ** 53 - 1, 1_796_000_000.123));
  });

  it("knows nothing binary before the first series", () => {
    decoder = new Decoder();
    expect(receive(TICK)).toBeNull();
    expect(receive(WINDOW)).toBeNull();
  });

  it("takes a layout that is not the last one's for nothing", () => {
    decoder.receive(JSON.stringify(seriesList(CPU_AND_DISK, "e", 8)));
    expect(receive(TICK)).toBeNull();
    expect(receive(WINDOW)).toBeNull();
  });

  it.each([0, 4, 255])("takes kind %i for nothing", (kind) => {
    const data = TICK.slice(0);
    new DataView(data).setUint8(0, kind);
    expect(receive(data)).toBeNull();
  });

  it.each([TICK, WINDOW])("takes a message of any other length for nothing", (whole) => {
    for (let length = 0; length < whole.byteLength; length++)
      expect(receive(whole.slice(0, length))).toBeNull();
    const longer = new Uint8Array(whole.byteLength + 4);
    longer.set(new Uint8Array(whole));
    expect(receive(longer.buffer)).toBeNull();
  });

  it("takes a window that promises more than there is for nothing", () => {
    const data = WINDOW.slice(0);
    new DataView(data).setUint32(16, 0xffff_ffff, true);
    expect(receive(data)).toBeNull();
  });

  it("still says what ticks are of after a message that did not fit", () => {
    receive(TICK.slice(0, 30));
    expect(receive(TICK)?.series).toEqual(CPU_AND_DISK);
  });

  it.each([
    { type: "series", epoch: "e", series: [] },
    { type: "series", layout: 1, series: [] },
    { type: "series", layout: 1, epoch: "e", series: [null] },
    { type: "series", layout: 1, epoch: "e", series: [{ name: "cpu" }] },
  ])("keeps the layout when it is told %j", (message) => {
    decoder.receive(JSON.stringify(message));
    expect(receive(TICK)).not.toBeNull();
  });

  it("gives what is said in text", () => {
    const problems = { type: "problems", problems: [] };
    expect(decoder.receive(JSON.stringify(problems))).toEqual(problems);
    expect(decoder.receive('{"type":"pong","timestamp":"T"}')).toBeNull();
  });
});
