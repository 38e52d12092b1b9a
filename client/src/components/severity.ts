/** The worst severity among the alerts that fire on a series, or on its metric as a whole. */
import { createMemo } from "solid-js";
import { SEVERITIES } from "../alerts/entries";
import type { Severity } from "../types.gen";
import { useStores } from "./context";

export function useSeverity(series: () => { key: string; name: string }): () => Severity | undefined {
  const { alerts } = useStores();
  return createMemo(() => {
    const { key, name } = series();
    const here = [alerts.severityOf(key), alerts.severityOf(name)];
    return SEVERITIES.find((severity) => here.includes(severity));
  });
}

/** The rule whose threshold is drawn: one of what fires, else the one that is likely to be crossed first. */
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
