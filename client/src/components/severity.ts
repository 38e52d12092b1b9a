/** The worst severity among alerts, and the threshold that goes with it. */
import { createMemo } from "solid-js";
import { SEVERITIES } from "../alerts/entries";
import type { Severity } from "../types.gen";
import { useStores } from "./context";

/** The worst severity that fires on some series or on whole metrics. @param keys their keys and names. */
export function useSeverity(keys: () => readonly string[]): () => Severity | undefined {
  const { alerts } = useStores();
  return createMemo(() => {
    const here = new Set(keys().map(alerts.severityOf));
    return SEVERITIES.find((severity) => here.has(severity));
  });
}

/** The drawn threshold: a firing rule's, otherwise the one likely to be crossed first. */
export function useThreshold(
  metric: string,
  severity: () => Severity | undefined,
): () => { value: number; severity: Severity } | undefined {
  const { board } = useStores();
  const all = createMemo(() => board.thresholdsOf([metric]));
  return createMemo(() => {
    const rule =
      all().find((one) => one.severity === severity()) ??
      [...SEVERITIES].reverse().flatMap((one) => all().filter((rule) => rule.severity === one))[0];
    return rule && { value: rule.threshold as number, severity: rule.severity };
  });
}
