/** The values of a chart as CSV: a row per tick or bucket, and the columns of each series. Pure. */

/** Quote a field if RFC 4180 requires it. */
const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Escape text that a spreadsheet would run as a formula. */
const field = (text: string): string => quoted(/^[=+\-@]/.test(text) ? `'${text}` : text);

/** A column, or four if its values are the averages of buckets. NaN becomes an empty field. */
export interface CsvLine {
  label: string;
  values: ArrayLike<number>;
  buckets?: { lows: ArrayLike<number>; highs: ArrayLike<number>; counts: ArrayLike<number> };
}

function columnsOf({ label, values, buckets }: CsvLine): { label: string; values: ArrayLike<number> }[] {
  if (buckets === undefined) return [{ label, values }];
  const { lows, highs, counts } = buckets;
  return [
    { label: `${label} min`, values: lows },
    { label: `${label} max`, values: highs },
    { label: `${label} avg`, values },
    { label: `${label} count`, values: counts },
  ];
}

/** @param times of the values, in milliseconds since 1970; a bucket has the time at which it begins. */
export function csvOf(times: ArrayLike<number>, lines: readonly CsvLine[]): string {
  const columns = lines.flatMap(columnsOf);
  const rows = [["time", ...columns.map(({ label }) => field(label))]];
  for (let i = 0; i < times.length; i++) {
    const values = columns.map(({ values }) => (Number.isNaN(values[i]) ? "" : String(values[i])));
    rows.push([new Date(times[i]).toISOString(), ...values]);
  }
  return rows.map((row) => `${row.join(",")}\r\n`).join("");
}
