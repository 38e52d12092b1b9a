/** A host on a phone: in two lines, with its name, its worst value and its others. */
import { createMemo } from "solid-js";
import { useStores } from "../components/context";
import { useInView } from "../components/inView";
import { useMoment } from "../components/moment";
import { boardOf } from "./address";
import { HostLine, useHost } from "./HostRows";
import { HostShape } from "./HostShape";
import { type Column, wrongWith } from "./model";
import { useHosts } from "./store";
import { briefText, upText, valueText } from "./words";

export function PhoneRow(props: { name: string; short: string; columns: readonly Column[] }) {
  const { time } = useStores();
  const moment = useMoment();
  const hosts = useHosts();
  let row!: HTMLLIElement;
  const live = useInView(() => row);
  const host = useHost(() => props.name, live);
  const wrong = createMemo(() => wrongWith(host()));
  const isThere = () => host().state === "live";
  const at = () => Math.max(0, host().column);
  const others = () =>
    props.columns
      .flatMap((column, place) =>
        place === at() || column.unit.endsWith("/s") ? [] : briefText(host().values[place], column),
      )
      .join(" · ");
  const worst = () => props.columns[at()];
  return (
    <li ref={row} class="phone-host host" data-host={props.name} data-wrong={wrong()}>
      <HostShape wrong={wrong()} />
      <a href={boardOf(host(), time.shown())}>
        <span class="visually-hidden">{wrong()} </span>
        {props.short}
      </a>
      <HostLine host={host()} at={at()} column={worst()} live={live} />
      <span class="phone-value" classList={{ fires: host().fires }}>
        {worst() === undefined ? "–" : valueText(host().values[at()], worst())}
        <small>
          {isThere()
            ? `${worst()?.unit === "%" ? "% " : ""}${worst()?.title.replace(/^[A-Z][a-z]/, (start) => start.toLowerCase()) ?? ""}`
            : host().state}
        </small>
      </span>
      <span class="phone-more">{isThere() ? others() : upText(host(), moment(), hosts.isPast())}</span>
    </li>
  );
}
