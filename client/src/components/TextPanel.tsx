/**
 * A text, from the elements that the server has read from its Markdown. They are made one by one from a list of
 * those that are allowed, and a link only leads to a known scheme: a board of someone else is not trusted.
 */
import "../styles/text.css";
import { Show } from "solid-js";
import type { Text, TextElement, TextNode, TextTag } from "../types.gen";
import { targetOf } from "./layout";
import { PanelHead } from "./PanelHead";

const TAGS: Record<TextTag, true> = {
  ...{ p: true, h3: true, h4: true, h5: true, h6: true, ul: true, ol: true, li: true, blockquote: true },
  ...{ pre: true, hr: true, br: true, code: true, em: true, strong: true, s: true, a: true },
  ...{ table: true, thead: true, tbody: true, tr: true, th: true, td: true },
};
const SCHEMES = ["http:", "https:", "mailto:"];

function nodeOf(node: TextNode): Node {
  if (typeof node === "string") return document.createTextNode(node);
  const { tag, content = [] } = node;
  const element = document.createElement(Object.hasOwn(TAGS, tag) ? tag : "span");
  if (element instanceof HTMLAnchorElement) link(element, node);
  if (element instanceof HTMLOListElement) element.start = node.start ?? 1;
  if (element instanceof HTMLTableCellElement) element.style.textAlign = node.align ?? "";
  element.append(...content.map(nodeOf));
  return element;
}

/** Set the address of a link. Another site opens in a tab of its own, and does not learn of this page. */
function link(element: HTMLAnchorElement, { href = "" }: TextElement): void {
  if (!URL.canParse(href, document.baseURI)) return;
  const address = new URL(href, document.baseURI);
  if (!SCHEMES.includes(address.protocol)) return;
  element.href = address.href;
  element.rel = "noopener noreferrer";
  if (address.origin !== location.origin && address.protocol !== "mailto:") element.target = "_blank";
}

export default function TextPanel(props: { panel: Text; pinned: boolean }) {
  const label = props.panel.title || undefined;
  return (
    <section
      class="text-panel"
      data-metric={targetOf(props.panel)}
      aria-label={label && props.pinned ? `${label}, pinned` : label}
    >
      <Show when={props.panel.title}>
        <PanelHead panel={props.panel} />
      </Show>
      {/* A kind of panel that the page does not know, from a host that is newer than its wall, has no text. */}
      <div class="text">
        {(props.panel.content ?? ["This panel needs a newer page: update this wall."]).map(nodeOf)}
      </div>
    </section>
  );
}
