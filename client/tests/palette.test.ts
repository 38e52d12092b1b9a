/**
 * The eight colours of lines are told apart by everyone: CIEDE2000 of every pair, as seen with normal vision and with
 * the three kinds of colour blindness (Machado, Oliveira and Fernandes 2009, severity 1.0), and their contrast with the
 * ground they are drawn on. The colours are read from the style sheet.
 */
import { describe, expect, it } from "vitest";
import sheet from "../src/styles/base.css?raw";

const LEAST_DIFFERENCE = 11.4;
const LEAST_CONTRAST = 3;

type Triple = readonly [number, number, number];

/** The custom properties of the rule with a selector. */
function properties(selector: string): Map<string, string> {
  const begin = sheet.indexOf(`${selector} {`);
  const body = sheet.slice(begin, sheet.indexOf("\n}", begin));
  return new Map(Array.from(body.matchAll(/(--[\w-]+):\s*([^;]+);/g), ([, name, value]) => [name, value]));
}

const themes = {
  light: properties(":root"),
  dark: properties(':root[data-theme="dark"]'),
};

/** Of simulated vision, for linear RGB; row by row. */
const VISIONS: Record<string, readonly Triple[]> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protan: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deutan: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritan: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

const TO_XYZ: readonly Triple[] = [
  [0.4124564, 0.3575761, 0.1804375],
  [0.2126729, 0.7151522, 0.072175],
  [0.0193339, 0.119192, 0.9503041],
];
const WHITE: Triple = [0.95047, 1, 1.08883];

const times = (matrix: readonly Triple[], [a, b, c]: Triple): Triple =>
  matrix.map((row) => row[0] * a + row[1] * b + row[2] * c) as unknown as Triple;

function linear(hex: string): Triple {
  const channels = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255);
  return channels.map((one) =>
    one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4,
  ) as unknown as Triple;
}

function seen(hex: string, vision: string): Triple {
  const found = times(VISIONS[vision], linear(hex));
  return found.map((one) => Math.min(1, Math.max(0, one))) as unknown as Triple;
}

function lab(rgb: Triple): Triple {
  const [x, y, z] = times(TO_XYZ, rgb).map((one, i) => {
    const share = one / WHITE[i];
    return share > (6 / 29) ** 3 ? Math.cbrt(share) : share / (3 * (6 / 29) ** 2) + 4 / 29;
  });
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const rad = (degrees: number): number => (degrees * Math.PI) / 180;
const angle = (b: number, a: number): number => ((Math.atan2(b, a) * 180) / Math.PI + 360) % 360;

/** The difference of two colours, after Sharma, Wu and Dalal (2005). */
function ciede2000([l1, a1, b1]: Triple, [l2, a2, b2]: Triple): number {
  const mean = (Math.hypot(a1, b1) + Math.hypot(a2, b2)) / 2;
  const g = 0.5 * (1 - Math.sqrt(mean ** 7 / (mean ** 7 + 25 ** 7)));
  const [p1, p2] = [a1 * (1 + g), a2 * (1 + g)];
  const [c1, c2] = [Math.hypot(p1, b1), Math.hypot(p2, b2)];
  const [h1, h2] = [c1 === 0 ? 0 : angle(b1, p1), c2 === 0 ? 0 : angle(b2, p2)];
  const turn = h2 - h1 > 180 ? h2 - h1 - 360 : h2 - h1 < -180 ? h2 - h1 + 360 : h2 - h1;
  const dh = 2 * Math.sqrt(c1 * c2) * Math.sin(rad(c1 * c2 === 0 ? 0 : turn) / 2);
  const [l, c] = [(l1 + l2) / 2, (c1 + c2) / 2];
  const sum = h1 + h2;
  const h =
    c1 * c2 === 0 ? sum : Math.abs(h1 - h2) <= 180 ? sum / 2 : (sum < 360 ? sum + 360 : sum - 360) / 2;
  const t =
    1 -
    0.17 * Math.cos(rad(h - 30)) +
    0.24 * Math.cos(rad(2 * h)) +
    0.32 * Math.cos(rad(3 * h + 6)) -
    0.2 * Math.cos(rad(4 * h - 63));
  const sl = 1 + (0.015 * (l - 50) ** 2) / Math.sqrt(20 + (l - 50) ** 2);
  const [sc, sh] = [1 + 0.045 * c, 1 + 0.015 * c * t];
  const rotation =
    -2 * Math.sqrt(c ** 7 / (c ** 7 + 25 ** 7)) * Math.sin(rad(60 * Math.exp(-(((h - 275) / 25) ** 2))));
  const [dl, dc] = [(l2 - l1) / sl, (c2 - c1) / sc];
  return Math.sqrt(dl ** 2 + dc ** 2 + (dh / sh) ** 2 + rotation * dc * (dh / sh));
}

function contrast(one: string, other: string): number {
  const [high, low] = [one, other].map((hex) => times(TO_XYZ, linear(hex))[1]).sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

describe("the difference of two colours", () => {
  // Pairs 1, 7, 17 and 24 of the published test data.
  it.each([
    [[50, 2.6772, -79.7751], [50, 0, -82.7485], 2.0425],
    [[50, 0, 0], [50, -1, 2], 2.3669],
    [[50, 2.5, 0], [73, 25, -18], 27.1492],
    [[50, 2.5, 0], [50, 3.2592, 0.335], 1.0],
  ] as [Triple, Triple, number][])("of %j and %j is %d", (one, other, difference) => {
    expect(ciede2000(one, other)).toBeCloseTo(difference, 3);
    expect(ciede2000(other, one)).toBeCloseTo(difference, 3);
  });
});

describe.each(Object.entries(themes))("the colours of lines in the %s theme", (_, theme) => {
  const lines = Array.from({ length: 8 }, (_, i) => theme.get(`--line-${i + 1}`) ?? "");

  it("are eight", () => {
    for (const line of lines) expect(line).toMatch(/^#[0-9a-f]{6}$/);
  });

  it.each(Object.keys(VISIONS))("are told apart with %s vision", (vision) => {
    const found = lines.map((line) => lab(seen(line, vision)));
    const pairs = found.flatMap((one, i) => found.slice(i + 1).map((other) => ciede2000(one, other)));
    expect(pairs).toHaveLength(28);
    expect(Math.min(...pairs)).toBeGreaterThanOrEqual(LEAST_DIFFERENCE);
  });

  it("stand out from the ground", () => {
    const ground = theme.get("--surface") ?? "";
    for (const line of lines) expect(contrast(line, ground)).toBeGreaterThanOrEqual(LEAST_CONTRAST);
  });
});
