/** A board without any metric: ways to send it a first value, to copy and paste. It is loaded when needed. */
import "../styles/waiting.css";
import { createMemo, createSignal, For, onCleanup, Show } from "solid-js";
import { formatCount, formatLength, plural } from "../format";
import { useStores } from "./context";
import { Icon } from "./Icon";

const ASK_EVERY_MS = 5_000;
const COPIED_MS = 2_000;

interface Way {
  name: string;
  /** Lines to type. Shell lines show a `$` that is not copied. */
  lines: readonly string[];
  shell: boolean;
  note: string;
}

const waysTo = (address: string, host: string): readonly Way[] => [
  {
    ...{ name: "Shell", shell: true, note: "" },
    lines: [`curl ${address}/api/metrics -d '{"name": "queue", "value": 3}'`],
  },
  {
    ...{ name: "Python", shell: false, note: "It sends once a second, from any thread: docs/push.md." },
    lines: [
      "import tickboard",
      "",
      `numbers = tickboard.push("${address}")`,
      'numbers.gauge("queue").set(3)',
      "numbers.close()",
    ],
  },
  {
    ...{ name: "A command’s output", shell: true, note: "It has a board of its own: docs/pipe.md." },
    lines: [
      String.raw`ping localhost | sed -un 's/.*time=\([0-9.]*\) ms/latency \1 ms/p' | tickboard pipe --port 3001`,
    ],
  },
  {
    ...{ name: "OpenTelemetry", shell: true, note: "Then start your program: docs/opentelemetry.md." },
    lines: [`export OTEL_EXPORTER_OTLP_ENDPOINT=${address}`, "export OTEL_METRIC_EXPORT_INTERVAL=1000"],
  },
  {
    ...{ name: "StatsD", shell: true, note: "The board must listen, by board.statsd(): docs/statsd.md." },
    lines: [`echo "queue:3|g" | nc -u -w0 ${host} 8125`],
  },
];

const OTHERS = [
  {
    title: "In your own program",
    text: "Three lines in FastAPI, Flask, Django or Starlette.",
    where: "docs/middleware.md",
  },
  {
    title: "This machine",
    text: "CPU, memory, disks, network and processes.",
    where: "tickboard, without a file",
  },
  { title: "From Prometheus", text: "Scrape a target, or take remote write.", where: "docs/scrape.md" },
];

function Ways(props: { ways: readonly Way[] }) {
  const [chosen, setChosen] = createSignal(0);
  const [said, setSaid] = createSignal<"" | "Copied" | "Not copied">("");
  const way = () => props.ways[chosen()];
  let tabs!: HTMLDivElement;

  async function copy(): Promise<void> {
    // The browser may refuse; the viewer can still select the lines.
    const write = navigator.clipboard.writeText(way().lines.join("\n"));
    setSaid(
      await write.then(
        () => "Copied",
        () => "Not copied",
      ),
    );
    setTimeout(() => setSaid(""), COPIED_MS);
  }

  function onKeyDown(event: KeyboardEvent): void {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    setChosen((at) => (at + step + props.ways.length) % props.ways.length);
    tabs.querySelector<HTMLElement>('[aria-selected="true"]')?.focus();
  }

  return (
    <div class="ways">
      <div class="ways-head">
        <div class="ways-tabs" role="tablist" aria-label="Ways to send a value" ref={tabs}>
          <For each={props.ways}>
            {(one, at) => (
              <button
                type="button"
                role="tab"
                id={`way-${at()}`}
                aria-controls="way"
                aria-selected={chosen() === at()}
                tabIndex={chosen() === at() ? 0 : -1}
                onClick={() => setChosen(at())}
                onKeyDown={onKeyDown}
              >
                {one.name}
              </button>
            )}
          </For>
        </div>
        <Show when={navigator.clipboard}>
          <button type="button" class="button small" onClick={() => void copy()}>
            <Icon name={said() === "Copied" ? "check" : "copy"} />
            {said() || "Copy"}
          </button>
          <span class="visually-hidden" role="status">
            {said() === "Not copied" ? "Not copied: select the lines and copy them" : said()}
          </span>
        </Show>
      </div>
      <div id="way" role="tabpanel" aria-labelledby={`way-${chosen()}`}>
        <pre>
          <For each={way().lines}>
            {(line) => (
              <code>
                <Show when={way().shell}>
                  <span class="prompt" aria-hidden="true">
                    ${" "}
                  </span>
                </Show>
                {`${line}\n`}
              </code>
            )}
          </For>
        </pre>
        <Show when={way().note}>
          <p class="ways-note">{way().note}</p>
        </Show>
      </div>
    </div>
  );
}

/** The received series and refused requests so far. */
function Heard() {
  const { board, connection, history, stats } = useStores();
  void history.refresh();
  const timer = setInterval(() => void history.refresh(), ASK_EVERY_MS);
  onCleanup(() => clearInterval(timer));
  const rules = () => board.board()?.rules?.length ?? 0;
  const series = () => {
    stats.drawn();
    return stats.window.series.length;
  };
  const listening = createMemo(() => {
    connection.time();
    return stats.live.newestSeq * (board.board()?.interval_ms ?? 1000);
  });
  const refused = () => {
    const { connections_refused = 0, requests_refused = 0 } = history.health() ?? {};
    const count = connections_refused + requests_refused;
    return count === 0 ? "nothing was refused" : `${formatCount(count)} ${plural(count, "request")} refused`;
  };
  const reasons = () =>
    history.health()?.reasons?.map(({ source, message }) => `${source}: ${message}`) ?? [];
  return (
    <div class="heard">
      <p>
        <span class="dot" classList={{ good: connection.live(), unknown: !connection.live() }} />
        {`${connection.live() ? "Connected" : "Not connected"}. `}
        {`${formatCount(series())} series, ${formatCount(rules())} ${plural(rules(), "rule")}. `}
        <span aria-live="off">{`Listening for ${formatLength(listening())}; ${refused()}.`}</span>
      </p>
      <For each={reasons()}>{(reason) => <p>{reason}</p>}</For>
    </div>
  );
}

export default function Waiting() {
  const address = new URL(".", document.baseURI).href.replace(/\/$/, "");
  return (
    <section class="waiting" aria-labelledby="waiting-title">
      <h2 id="waiting-title">Send the first value</h2>
      <p>
        The board is running at <strong>{address}</strong> and has no metrics yet. As soon as one value comes,
        it is shown here.
      </p>
      <Ways ways={waysTo(address, location.hostname)} />
      <ul class="waiting-others">
        <For each={OTHERS}>
          {({ text, title, where }) => (
            <li>
              <strong>{title}</strong>
              <p>{text}</p>
              <code>{where}</code>
            </li>
          )}
        </For>
      </ul>
      <Heard />
    </section>
  );
}
