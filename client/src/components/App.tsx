/** The whole page. It places the parts; each of them takes what it shows from the stores. */
import { createEffect } from "solid-js";
import { badged } from "../alerts/tabicon";
import { plural } from "../format";
import icon from "../icon.svg?raw";
import { ConnectionTrouble } from "./ConnectionTrouble";
import { useStores } from "./context";
import { EnlargedPlace } from "./EnlargedPlace";
import { Footer } from "./Footer";
import { Header } from "./Header";
import { Health } from "./Health";
import { Panels } from "./Panels";
import { Problems } from "./Problems";
import { SkipLink, Views } from "./Views";

const plainIcon = document.querySelector<HTMLLinkElement>("link[rel=icon]")?.href ?? "";

/** How many alerts of the worst severity that calls for someone fire: what there is room for on a tab. */
function useUrgent(): () => { count: number; severity: "critical" | "warning" } | null {
  const { alerts } = useStores();
  return () => {
    for (const severity of ["critical", "warning"] as const) {
      const count = alerts.firingCount(severity);
      if (count > 0) return { count, severity };
    }
    return null;
  };
}

export function App() {
  const { board } = useStores();
  const urgent = useUrgent();
  createEffect(() => {
    const { count = 0, severity = "critical" } = urgent() ?? {};
    const what = severity === "critical" ? `${count}` : `${count} ${plural(count, "warning")}`;
    document.title = count > 0 ? `(${what}) ${board.title()}` : board.title();
  });
  createEffect(() => {
    const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
    if (link === null) return;
    const { count = 0, severity = "critical" } = urgent() ?? {};
    const address = count > 0 ? badged(icon, count, severity) : plainIcon;
    if (link.href !== address) link.href = address;
  });
  return (
    <div class="dashboard">
      <SkipLink />
      <Header />
      <main class="page">
        <ConnectionTrouble />
        <Problems />
        <EnlargedPlace />
        <Health />
        <Panels />
      </main>
      <Footer />
      <Views />
    </div>
  );
}
