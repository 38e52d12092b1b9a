/** The whole page. It places the parts; each part reads its data from the stores. */
import { createSignal, Show } from "solid-js";
import { ChangesPlace } from "./ChangesPlace";
import { useStores } from "./context";
import { Header } from "./Header";
import { Health } from "./Health";
import { LoadedPart, MissingPart, onDemand, SOON_MS, usePreload } from "./LoadedPart";
import { Panels } from "./Panels";
import { TimeBar } from "./TimeBar";
import { useTab, useWaiting } from "./tab";
import { SkipLink, Views } from "./Views";

const loadTrouble = () => import("./Trouble");
const Trouble = onDemand(loadTrouble);
const EnlargedPlace = onDemand(() => import("./EnlargedPlace"));
const Problems = onDemand(() => import("./Problems"));
const Footer = onDemand(() => import("./Footer"));
const Waiting = onDemand(() => import("./Waiting"));
const Kiosk = onDemand(() => import("./kiosk/Kiosk"));

/** @param props.kiosk whether the page is a wall display, which nobody can operate. */
export function App(props: { kiosk: boolean }) {
  const waiting = useWaiting();
  useTab(waiting);
  const onWall = () => props.kiosk && !waiting();
  return (
    <Show
      when={!onWall()}
      fallback={
        <LoadedPart>
          <Kiosk />
        </LoadedPart>
      }
    >
      <Page waiting={waiting()} />
    </Show>
  );
}

function Page(props: { waiting: boolean }) {
  const { alerts, board, connection, view } = useStores();
  /** Whether the first drawing is over, and what nobody needs for it may be loaded. */
  const [soon, setSoon] = createSignal(false);
  const inTrouble = () => connection.stale() || connection.lost() || connection.trouble() !== null;
  usePreload(
    SOON_MS,
    loadTrouble,
    () => import("./ChartReading"),
    EnlargedPlace.preload,
    async () => setSoon(true),
  );
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
            <LoadedPart>
              <Trouble />
            </LoadedPart>
          </Show>
          <Show when={board.problems().length > 0}>
            <LoadedPart>
              <Problems />
            </LoadedPart>
          </Show>
          <Show when={view.shown()?.type === "chart"}>
            <LoadedPart>
              <EnlargedPlace />
            </LoadedPart>
          </Show>
          <Show when={!props.waiting} fallback={<LoadedPart>{<Waiting />}</LoadedPart>}>
            <Health />
            <Panels />
          </Show>
        </main>
        <ChangesPlace />
      </div>
      <Show when={soon()} fallback={<footer />}>
        <LoadedPart fallback={<footer />}>
          <Footer />
        </LoadedPart>
      </Show>
      {/* Outside the alert list, because an enlarged chart hides the list. */}
      <div class="visually-hidden critical-news" role="alert">
        {alerts.criticalNews()}
      </div>
      <Views />
    </div>
  );
}
