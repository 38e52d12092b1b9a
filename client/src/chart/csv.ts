/** The values of a chart as CSV: a row per tick, a column per series. Pure. */

/** Quote a field if RFC 4180 requires it. */
const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Escape text that a spreadsheet would run as a formula. */
const field = (text: string): string => quoted(/^[=+\-@]/.test(text) ? `'${text}` : text);

/**
 * @param times in milliseconds since 1970.
 * @param lines the values at these times; NaN becomes an empty field.
 */
export function csvOf(
  times: ArrayLike<number>,
  lines: readonly { label: string; values: ArrayLike<number> }[],
): string {
  const rows = [["time", ...lines.map(({ label }) => field(label))]];
  for (let i = 0; i < times.length; i++) {
    const values = lines.map(({ values }) => (Number.isNaN(values[i]) ? "" : String(values[i])));
    rows.push([new Date(times[i]).toISOString(), ...values]);
  }
  return rows.map((row) => `${row.join(",")}\r\n`).join("");
}
