/** The whole page. It places the parts; each of them takes what it shows from the stores. */
import { createEffect } from "solid-js";
import { useStores } from "../context";
import icon from "../icon.svg?raw";
import { badged } from "../tabicon";
import { AlertFeed } from "./AlertFeed";
import { Header } from "./Header";
import { Panels } from "./Panels";
import { Problems } from "./Problems";

const plainIcon = document.querySelector<HTMLLinkElement>("link[rel=icon]")?.href ?? "";

function showIcon(critical: number): void {
  const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  if (link === null) return;
  const address = critical > 0 ? badged(icon, critical) : plainIcon;
  if (link.href !== address) link.href = address;
}

export function App() {
  const { alerts, board } = useStores();
  createEffect(() => {
    const critical = alerts.critical().length;
    document.title = critical > 0 ? `(${critical}) ${board.title()}` : board.title();
  });
  createEffect(() => showIcon(alerts.critical().length));
  return (
    <div class="dashboard">
      <Header />
      <Problems />
      <div class="layout">
        <main>
          <Panels />
        </main>
        <aside>
          <AlertFeed />
        </aside>
      </div>
    </div>
  );
}
