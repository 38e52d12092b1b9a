/**
 * The health block of a wall: a line for all hosts; below it what fires as cells that name their host, equal rules on
 * many hosts as one, and the hosts that are gone. The alerts that are over are listed below the table.
 */
import { createEffect, createMemo, createSignal, For, onCleanup, Show } from "solid-js";
import { render } from "solid-js/web";
import type { Entry } from "../alerts/entries";
import { useStores } from "../components/context";
import { useHeldHeight } from "../components/Health";
import { UndoButton } from "../components/HealthLine";
import { Icon } from "../components/Icon";
import { later } from "../components/LoadedPart";
import { useMoment } from "../components/moment";
import { useWidth } from "../components/width";
import { formatCount, formatLength, formatMinute, formatWhen, plural } from "../format";
import { boardOf } from "./address";
import { type Gone, useGone } from "./gone";
import { wrongIn } from "./HostRows";
import { GoneShape, HostShape } from "./HostShape";
import { groupsOf } from "./model";
import { hostOf, useHosts } from "./store";
import { namesText } from "./words";

/** So many rows of cells are shown at first. */
const ROWS = 2;
const THREE_FROM = 1250;
const TWO_FROM = 850;

function FiringCell(props: { id: string }) {
  const { alerts, time } = useStores();
  const hosts = useHosts();
  // Keep the last value: a removed entry updates once more before it unmounts.
  const entry = createMemo<Entry>(
    (before) => alerts.entry(props.id) ?? before,
    alerts.entry(props.id) as Entry,
  );
  /** The entry without the host's name in its message, since it stands above it. */
  const plain = (): Entry => {
    const { lead, total } = entry();
    const start = `${hostOf(lead.alert)}: `;
    if (total > 1 || !lead.alert.message.startsWith(start)) return entry();
    const message = lead.alert.message.slice(start.length);
    return { ...entry(), lead: { ...lead, alert: { ...lead.alert, message } } };
  };
  const names = () => [...new Set(entry().episodes.map(({ alert }) => hostOf(alert)))];
  const host = () => {
    const [name] = names();
    return names().length === 1 && name !== "" ? hosts.byName().get(name) : undefined;
  };
  return (
    <Show when={later()} keyed>
      {(parts) => (
        <parts.AlertEntry entry={plain()}>
          <Show
            when={host()}
            fallback={
              <span class="alert-host">
                {names().filter(Boolean).length > 1 ? `${formatCount(names().length)} hosts` : ""}
              </span>
            }
          >
            {(one) => (
              <a class="alert-host" href={boardOf(one(), time.shown())} title={`Open ${one().name}`}>
                {one().name}
              </a>
            )}
          </Show>
        </parts.AlertEntry>
      )}
    </Show>
  );
}

function GoneCell(props: { gone: Gone }) {
  const { time } = useStores();
  const moment = useMoment();
  const first = () => props.gone.hosts[0];
  const since = () => first().since;
  const count = () => props.gone.hosts.length;
  const name = () => (count() === 1 ? first().name : `${formatCount(count())} hosts`);
  const knows = () => Number.isFinite(since());
  return (
    <li class="alert gone" data-gone={first().name}>
      <span class="alert-severity">
        <GoneShape />
        <span class="severity">GONE</span>
        <span class="alert-host">{name()}</span>
      </span>
      <div class="alert-content">
        <span class="message">
          {count() > 1
            ? `${namesText(props.gone.hosts.map((host) => host.name))}, at once`
            : knows()
              ? `No word for ${formatLength(moment() - since())}`
              : "No word"}
        </span>
        <span class="outcome">
          {knows() ? `since ${formatWhen(since(), moment())} · ` : ""}
          {first().info?.problem || "no goodbye"}
        </span>
      </div>
      <a class="button small" href={boardOf(first(), time.shown())}>
        <Icon name="clock" />
        {knows() && count() === 1 ? `Open at ${formatMinute(since())}` : `Open ${first().name}`}
      </a>
    </li>
  );
}

/** The count of hosts that are gone, among the badges of the top bar. */
function useBadge(): void {
  const hosts = useHosts();
  const place = document.querySelector(".badges");
  if (place === null) return;
  const remove = render(
    () => (
      <Show when={hosts.gone().length}>
        {(count) => <a class="gone-badge" href="#alerts">{`${formatCount(count())} Gone`}</a>}
      </Show>
    ),
    place,
  );
  onCleanup(remove);
}

/** `2 firing, 1 gone` */
function useSays(): () => string {
  const { alerts } = useStores();
  const hosts = useHosts();
  return () => {
    if (!alerts.sure()) return "Not known";
    const [firing, gone] = [alerts.firing().length, hosts.gone().length];
    const parts = [
      firing > 0 ? `${formatCount(firing)} firing` : "",
      gone > 0 ? `${formatCount(gone)} gone` : "",
    ];
    return parts.filter(Boolean).join(", ") || "All quiet";
  };
}

function Line() {
  const { alerts, connection, marks, time } = useStores();
  const hosts = useHosts();
  const says = useSays();
  const moment = useMoment();
  const isCalm = () => alerts.sure() && says() === "All quiet";
  const troubled = createMemo(() =>
    hosts.all().filter(({ firing, state }) => firing > 0 || state === "gone"),
  );
  const more = () => {
    const all = hosts.all().length;
    const of = `${formatCount(all)} ${plural(all, "host")}`;
    const at = hosts.isPast() ? ` at ${formatWhen(moment(), connection.time())}` : "";
    const seen = hosts.isPast() ? "" : `, seen within ${formatLength(hosts.withinMs())}`;
    const on = troubled().length > 0 ? `on ${formatCount(troubled().length)} of ${of}` : of;
    return `${on}${at} · ${formatCount(hosts.live())} live${seen}`;
  };
  const worst = createMemo(() => {
    const [id] = alerts.firingIds();
    return id === undefined ? undefined : alerts.entry(id);
  });
  const recent = () => alerts.recent().length + marks.recent().length;
  const groups = createMemo(() => {
    const all = groupsOf(hosts.all(), "env").filter(({ name }) => name !== "");
    return all.length > 1 ? all : [];
  });
  return (
    <div class="health-line">
      <span class="health-says">
        <Show when={isCalm() || !alerts.sure()}>
          <span class="dot" classList={{ good: alerts.sure(), unknown: !alerts.sure() }} />
        </Show>
        {says()}
      </span>
      <span class="health-more">
        <span class="no-alerts" role="status">
          {isCalm() ? "No active alerts · " : ""}
        </span>
        <span aria-live="off">{more()}</span>
        <Show when={worst()}>
          {(entry) => (
            <Show when={later()} keyed>
              {(parts) => <parts.CompareLink entry={entry()} of={entry().lead.alert.message} />}
            </Show>
          )}
        </Show>
      </span>
      <Show when={!time.isOwn() && later()} keyed>
        {(parts) => <parts.HealthThen />}
      </Show>
      <Show when={recent() > 0}>
        <a
          class="health-link"
          href="#recent"
        >{`${hosts.isPast() ? "Around this time" : "Recent"} ${formatCount(recent())}`}</a>
      </Show>
      <UndoButton />
      <Show when={groups().length > 0}>
        <nav class="sections" aria-label="Groups of hosts">
          <For each={groups()}>
            {(group) => {
              const [worst] = wrongIn(group.hosts);
              return (
                <a
                  class="section-link"
                  data-severity={worst === "gone" ? undefined : worst}
                  href={`#hosts-${encodeURIComponent(group.name)}`}
                >
                  <HostShape wrong={worst ?? ""} />
                  {group.name}
                  <span class="visually-hidden">{worst === undefined ? "" : `, ${worst}`}</span>
                </a>
              );
            }}
          </For>
        </nav>
      </Show>
    </div>
  );
}

export default function HostsHealth() {
  const { alerts, time } = useStores();
  let section!: HTMLElement;
  let inner!: HTMLDivElement;
  let log!: HTMLDivElement;
  const [open, setOpen] = createSignal(false);
  const gone = useGone();
  const width = useWidth(() => inner);
  const abreast = () => (width() >= THREE_FROM ? 3 : width() >= TWO_FROM ? 2 : 1);
  const most = () => (open() ? Number.POSITIVE_INFINITY : abreast() * ROWS + (abreast() === 1 ? 2 : 0));
  const ids = createMemo(() => alerts.firingIds().slice(0, most()));
  const goneShown = createMemo(() => gone().slice(0, Math.max(0, most() - ids().length)));
  const byKey = createMemo(() => new Map(gone().map((one) => [one.key, one])));
  const goneKeys = createMemo<readonly string[]>(() => goneShown().map(({ key }) => key), [], {
    equals: (one, next) => one.join() === next.join(),
  });
  const hidden = () => alerts.firingIds().length + gone().length - ids().length - goneShown().length;
  const any = () => alerts.firingIds().length + gone().length > 0 || alerts.firingLeftOut().hidden > 0;
  const reads = () => alerts.reads(log.matches(":hover, :has(:focus-visible)"));
  useHeldHeight(
    () => section,
    () => inner,
  );
  useBadge();
  createEffect(() => {
    if (!any()) setOpen(false);
  });
  return (
    <section
      class="alert-feed"
      classList={{ open: any(), firing: alerts.firing().length > 0, unknown: !alerts.sure() }}
      id="alerts"
      aria-label="Alerts"
      ref={section}
    >
      <div ref={inner}>
        <h2 class="visually-hidden">Alerts</h2>
        <Line />
        <div
          class="alert-log"
          role="log"
          aria-live={time.speed() > 0 ? "off" : "polite"}
          aria-label="Alerts"
          tabIndex={-1}
          ref={log}
          onPointerEnter={reads}
          onPointerLeave={reads}
          onFocusIn={reads}
          onFocusOut={() => queueMicrotask(reads)}
        >
          <Show when={any()}>
            <div class="firing-list host-cells" style={{ "--abreast": abreast() }}>
              <ul class="alerts">
                <For each={ids()}>{(id) => <FiringCell id={id} />}</For>
                <For each={goneKeys()}>
                  {(key) => {
                    const one = createMemo<Gone>(
                      (before) => byKey().get(key) ?? before,
                      byKey().get(key) as Gone,
                    );
                    return <GoneCell gone={one()} />;
                  }}
                </For>
              </ul>
              <Show when={hidden() > 0 || open()}>
                <p class="alerts-more">
                  <button type="button" class="link" aria-expanded={open()} onClick={() => setOpen(!open())}>
                    {open() ? "Fewer" : `${formatCount(hidden())} more`}
                  </button>
                </p>
              </Show>
              <Show when={later()} keyed>
                {(parts) => <parts.LeftOut of={alerts.firingLeftOut()} />}
              </Show>
            </div>
          </Show>
        </div>
      </div>
    </section>
  );
}
