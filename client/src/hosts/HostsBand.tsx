/** What fires and what is gone, on a wall without controls: the worst large, then a few, and how many more there are. */
import { createMemo, Index, Show } from "solid-js";
import type { Entry } from "../alerts/entries";
import { isFiring } from "../alerts/episodes";
import { useStores } from "../components/context";
import { Icon } from "../components/Icon";
import { useMoment } from "../components/moment";
import { SeverityShape } from "../components/SeverityShape";
import { Spark } from "../components/Spark";
import { formatCount, formatDuration, formatMinute, formatValue, formatWhen } from "../format";
import { seriesKey } from "../link/protocol";
import { type Gone, useGone } from "./gone";
import { GoneShape } from "./HostShape";
import { type Host, roleOf } from "./model";
import { hostOf, useHosts } from "./store";
import { namesText } from "./words";

/** So many critical alerts are large, and so many others small; the rest is counted. */
const LARGE = 2;
const SMALL = 4;

type Item = { kind: "alert"; key: string; large: boolean } | { kind: "gone"; key: string; large: boolean };

/** `prod`, if all of these hosts are in one group. */
function groupText(all: readonly Host[], label: string): string {
  const found = new Set(all.map(({ labels }) => labels[label] ?? ""));
  return found.size === 1 ? [...found][0] : "";
}

/** `web-207`, `6 api hosts`, `12 hosts`. */
function whoText(all: readonly Host[]): string {
  if (all.length === 1) return all[0].name;
  const roles = new Set(all.map(roleOf));
  return `${formatCount(all.length)} ${roles.size === 1 ? `${[...roles][0]} ` : ""}hosts`;
}

function AlertItem(props: { id: string; large: boolean }) {
  const { alerts, board, stats } = useStores();
  const hosts = useHosts();
  const moment = useMoment();
  const entry = createMemo<Entry>(
    (before) => alerts.entry(props.id) ?? before,
    alerts.entry(props.id) as Entry,
  );
  const alert = () => entry().lead.alert;
  const firing = () => entry().episodes.filter(isFiring);
  const of = createMemo(() => {
    const names = new Set(firing().map((one) => hostOf(one.alert)));
    return [...names].flatMap((name) => hosts.byName().get(name) ?? []);
  });
  const name = () => (of().length === 0 ? alert().rule || alert().metric || "Alert" : whoText(of()));
  const what = () => {
    const host = hostOf(alert());
    const message = alert().message.replace(`${host}: `, "");
    const worst = of().length > 1 ? `, worst ${host}` : "";
    return [groupText(of(), "env"), `${message}${worst}`].filter(Boolean).join(" · ");
  };
  const key = () => seriesKey(alert().metric ?? "", alert().labels);
  const value = () => {
    stats.drawn();
    const now = board.isPlain(alert()) ? stats.window.newest(key()) : Number.NaN;
    const shown = Number.isFinite(now) ? now : (alert().value ?? Number.NaN);
    return formatValue(shown, board.unitOf(alert()), undefined, stats.window.isWhole(key()));
  };
  const limits = createMemo(() => {
    const { severity, threshold } = alert();
    return threshold === undefined ? [] : [{ value: threshold, severity }];
  });
  /** Who acknowledged all of it, the last one. */
  const taken = () => {
    const all = firing().map((one) => one.alert.acknowledged);
    return all.length > 0 && all.every((one) => one !== undefined) ? all.at(-1) : undefined;
  };
  return (
    <li
      class="wall-item"
      classList={{ large: props.large, taken: taken() !== undefined, resolved: !entry().firing }}
      data-severity={alert().severity}
    >
      <div class="wall-what">
        <p class="wall-since">
          <SeverityShape severity={alert().severity} hollow={!entry().firing} />
          <b>{alert().severity.toUpperCase()}</b>
          {`since ${formatWhen(entry().began, moment()).slice(0, -3)} · ${formatDuration((entry().firing ? moment() : entry().ended) - entry().began)}`}
        </p>
        <p class="wall-host">{name()}</p>
        <p class="wall-message">{what()}</p>
      </div>
      <div class="wall-right">
        <Show when={alert().value !== undefined}>
          <p class="wall-value">
            {value().number}
            <small>{value().unit}</small>
          </p>
        </Show>
        <Show when={props.large}>
          <Spark series={key()} limits={limits()} firing={entry().firing ? alert().severity : undefined} />
        </Show>
        <p class="wall-who">
          <Show when={taken()} fallback={entry().firing ? "not acknowledged" : "resolved"}>
            {(by) => (
              <>
                <Icon name="check" />
                {[by().by, formatMinute(Date.parse(by().timestamp))].filter(Boolean).join(", ")}
              </>
            )}
          </Show>
        </p>
      </div>
    </li>
  );
}

function GoneItem(props: { gone: Gone }) {
  const hosts = useHosts();
  const moment = useMoment();
  const all = () => props.gone.hosts;
  /** `4 of 24 in sin` */
  const who = () => {
    if (all().length === 1) return all()[0].name;
    const role = roleOf(all()[0]);
    const total = hosts.all().filter((host) => roleOf(host) === role).length;
    return `${formatCount(all().length)} of ${formatCount(total)} in ${role}`;
  };
  const lasted = () => formatDuration(moment() - all()[0].since).split(" ");
  const knows = () => Number.isFinite(all()[0].since);
  return (
    <li class="wall-item" data-severity="gone">
      <div class="wall-what">
        <p class="wall-since">
          <GoneShape />
          <b>GONE</b>
          {knows() ? `since ${formatWhen(all()[0].since, moment()).slice(0, -3)}` : ""}
        </p>
        <p class="wall-host">{who()}</p>
        <p class="wall-message">
          {[
            groupText(all(), "env"),
            all().length === 1 ? "no goodbye" : `${namesText(all().map(({ name }) => name))}, at once`,
          ]
            .filter(Boolean)
            .join(" · ")}
        </p>
      </div>
      <div class="wall-right">
        <Show when={knows()}>
          <p class="wall-value">
            {lasted()[0]}
            <small>{lasted()[1]}</small>
          </p>
        </Show>
      </div>
    </li>
  );
}

export function HostsBand() {
  const { alerts } = useStores();
  const gone = useGone();
  const items = createMemo(() => {
    const ids = alerts.firingIds();
    const isCritical = (id: string) => alerts.entry(id)?.lead.alert.severity === "critical";
    const large = ids.filter(isCritical).slice(0, LARGE);
    const small: Item[] = [
      ...ids.filter((id) => !large.includes(id)).map((key): Item => ({ kind: "alert", key, large: false })),
      ...gone().map(({ key }): Item => ({ kind: "gone", key, large: false })),
    ];
    const shown = small.slice(0, SMALL);
    return {
      large: large.map((key): Item => ({ kind: "alert", key, large: true })),
      pairs: [shown.slice(0, 2), shown.slice(2)].filter((pair) => pair.length > 0),
      more: small.length - shown.length + alerts.firingLeftOut().more,
    };
  });
  const byKey = createMemo(() => new Map(gone().map((one) => [one.key, one])));
  const item = (one: () => Item) => (
    <Show when={`${one().kind} ${one().large} ${one().key}`} keyed>
      {(_) => {
        const { kind, key, large } = one();
        if (kind === "alert") return <AlertItem id={key} large={large} />;
        const found = createMemo<Gone>((before) => byKey().get(key) ?? before, byKey().get(key) as Gone);
        return <GoneItem gone={found()} />;
      }}
    </Show>
  );
  return (
    <Show when={items().large.length + items().pairs.length > 0}>
      <section class="wall-band" aria-label="Firing and gone">
        <Index each={items().large}>{(one) => <ul class="wall-large">{item(one)}</ul>}</Index>
        <Index each={items().pairs}>
          {(pair) => (
            <ul class="wall-pair">
              <Index each={pair()}>{item}</Index>
            </ul>
          )}
        </Index>
        <Show when={items().more > 0}>
          <p class="wall-more">{`${formatCount(items().more)} more`}</p>
        </Show>
      </section>
    </Show>
  );
}
