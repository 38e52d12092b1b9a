/** The names of what a heat map shows. */
import { seriesKey } from "../link/protocol";
import type { Heatmap } from "../types.gen";

/** The metric that holds the buckets of a histogram. */
export const bucketsOf = (metric: string): string => `${metric}.buckets`;

/** What a heat map is called in the address of the page that shows it enlarged. */
export const heatId = ({ metric, labels = {} }: Heatmap): string => seriesKey(bucketsOf(metric), labels);
