/** The whole page. It places the parts; each of them takes what it shows from the stores. */
import { createEffect } from "solid-js";
import { useStores } from "../context";
import { AlertFeed } from "./AlertFeed";
import { Header } from "./Header";
import { Panels } from "./Panels";
import { Problems } from "./Problems";

export function App() {
  const { alerts, board } = useStores();
  createEffect(() => {
    const critical = alerts.critical().length;
    document.title = critical > 0 ? `(${critical} critical) ${board.title()}` : board.title();
  });
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
