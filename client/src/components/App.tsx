/** The whole page. It places the parts; each part reads its data from the stores. */
import { Show } from "solid-js";
import { ChangesPlace } from "./ChangesPlace";
import { useStores } from "./context";
import { Header } from "./Header";
import { Health } from "./Health";
import { later, MissingPart, onDemand, usePreload } from "./LoadedPart";
import { Panels } from "./Panels";
import { TimeBar } from "./TimeBar";
import { useTab, useWaiting } from "./tab";
import { SkipLink, Views } from "./Views";

const Trouble = onDemand((parts) => parts.Trouble);
const EnlargedPlace = onDemand((parts) => parts.EnlargedPlace);
const Problems = onDemand((parts) => parts.Problems);
const Waiting = onDemand((parts) => parts.Waiting);
const Kiosk = onDemand((parts) => parts.Kiosk);

/** @param props.kiosk whether the page is a wall display, which nobody can operate. */
export function App(props: { kiosk: boolean }) {
  const waiting = useWaiting();
  useTab(waiting);
  usePreload();
  const onWall = () => props.kiosk && !waiting();
  return (
    <Show when={!onWall()} fallback={<Kiosk />}>
      <Page waiting={waiting()} />
    </Show>
  );
}

function Page(props: { waiting: boolean }) {
  const { alerts, board, connection, view } = useStores();
  const inTrouble = () => connection.stale() || connection.lost() || connection.trouble() !== null;
  return (
    <div class="dashboard">
      <SkipLink />
      <Header waiting={props.waiting} />
      <Show when={!props.waiting}>
        <TimeBar />
      </Show>
      <div class="split">
        <main class="page" tabIndex={-1}>
          <MissingPart />
          <Show when={inTrouble()}>
            <Trouble />
          </Show>
          <Show when={board.problems().length > 0}>
            <Problems />
          </Show>
          <Show when={view.shown()?.type === "chart"}>
            <EnlargedPlace />
          </Show>
          <Show when={!props.waiting} fallback={<Waiting />}>
            <Show when={later()?.wall()} keyed fallback={<Health />}>
              {(wall) => <wall.HostsHealth />}
            </Show>
            <Panels />
          </Show>
        </main>
        <ChangesPlace />
      </div>
      <Show when={later()} keyed fallback={<footer />}>
        {(parts) => <parts.Footer />}
      </Show>
      {/* Outside the alert list, because an enlarged chart hides the list. */}
      <div class="visually-hidden critical-news" role="alert">
        {alerts.criticalNews()}
      </div>
      <Views />
    </div>
  );
}
