/** The frame of one drawing in place of the board: its title, its controls, and what saves and links it. */
import "../styles/opened.css";
import "../styles/enlarged.css";
import { type JSX, onCleanup, onMount, Show } from "solid-js";
import { FONT } from "../chart/text";
import { formatTime } from "../format";
import { useStores } from "./context";
import { useCopy } from "./copy";
import { Icon } from "./Icon";

/** Download a file. */
function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // Wait until the browser has handled the click.
  setTimeout(() => URL.revokeObjectURL(link.href));
}

/** Copy the plot and what is behind it to a canvas with its title above it and the page's background. */
function withTitle(plot: HTMLCanvasElement, title: string): HTMLCanvasElement {
  const style = getComputedStyle(document.documentElement);
  const scale = plot.width / plot.clientWidth;
  const head = Math.round(32 * scale);
  const whole = document.createElement("canvas");
  whole.width = plot.width;
  whole.height = plot.height + head;
  const context = whole.getContext("2d") as CanvasRenderingContext2D;
  context.fillStyle = style.getPropertyValue("--surface");
  context.fillRect(0, 0, whole.width, whole.height);
  const all = plot.parentElement?.querySelectorAll<HTMLCanvasElement>("canvas:not(.cursor)") ?? [plot];
  for (const canvas of all) context.drawImage(canvas, 0, head);
  context.scale(scale, scale);
  context.font = `600 ${FONT.replace("11px", "14px")}`;
  context.fillStyle = style.getPropertyValue("--text");
  context.fillText(title, 12, 21);
  return whole;
}

/**
 * @param props.details what stands beside the title.
 * @param props.controls stand before the buttons.
 * @param props.name of the saved files, without their ending.
 * @param props.csv returns the values.
 * @param props.canvas returns the drawing; null before the first.
 */
export function EnlargedFrame(props: {
  title: string;
  unit: string;
  details: string;
  controls: JSX.Element;
  name: string;
  csv: () => string;
  canvas: () => HTMLCanvasElement | null;
  ref: (section: HTMLElement) => void;
  children: JSX.Element;
}) {
  const { stats, view } = useStores();
  const copying = useCopy();
  let section!: HTMLElement;
  const fileName = () => props.name.replaceAll(/[^\w.-]/g, "_");

  function savePng(): void {
    const canvas = props.canvas();
    if (canvas === null) return;
    const title = [props.title, props.unit && `(${props.unit})`, formatTime(stats.window.newestTime)].join(
      "  ",
    );
    withTitle(canvas, title).toBlob((blob) => blob !== null && save(blob, `${fileName()}.png`));
  }

  onMount(() => {
    const [before, scrolled] = [document.activeElement, scrollY];
    scrollTo(0, 0);
    section.focus({ preventScroll: true });
    onCleanup(() =>
      // The board returns with the next frame.
      requestAnimationFrame(() => {
        scrollTo(0, scrolled);
        if (before instanceof HTMLElement) before.focus({ preventScroll: true });
      }),
    );
  });

  return (
    <section
      class="enlarged"
      ref={(found) => {
        section = found;
        props.ref(found);
      }}
      tabIndex={-1}
      aria-label={`${props.title}, enlarged`}
    >
      <div class="enlarged-head">
        <button type="button" class="button small plain" onClick={view.close}>
          <Icon name="left" />
          Board
        </button>
        <h2>{props.title}</h2>
        <span class="chart-unit">{props.details}</span>
        <span class="chart-space" />
        {props.controls}
        <button
          type="button"
          class="button small"
          onClick={() => save(new Blob([props.csv()], { type: "text/csv" }), `${fileName()}.csv`)}
        >
          <Icon name="download" />
          CSV
        </button>
        <button type="button" class="button small" onClick={savePng}>
          <Icon name="download" />
          PNG
        </button>
        <button type="button" class="button small" onClick={() => void copying.copy(location.href)}>
          <Icon name="link" />
          {copying.copied() ? "Copied" : "Copy link"}
        </button>
        <button
          type="button"
          class="icon-button small"
          aria-label="Close"
          title="Close (Esc)"
          onClick={view.close}
        >
          <Icon name="close" />
        </button>
      </div>
      <Show when={copying.byHand()}>
        {(link) => (
          <input
            class="enlarged-link"
            readOnly
            aria-label="Link to this chart"
            value={link()}
            ref={(input) => queueMicrotask(() => input.select())}
          />
        )}
      </Show>
      {props.children}
    </section>
  );
}
