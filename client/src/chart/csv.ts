/** The values of a chart as CSV, for another program: a row for each tick, a column for each series. Pure. */

/** Quoted where that is needed, as RFC 4180 says. */
const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** A spreadsheet would take a text that begins like a formula for one. */
const field = (text: string): string => quoted(/^[=+\-@]/.test(text) ? `'${text}` : text);

/**
 * @param times in milliseconds since 1970.
 * @param lines their values at these times, NaN for none: the field is empty.
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
