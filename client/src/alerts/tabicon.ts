/**
 * The tab's icon: the page's own, with how many alerts fire on it, on red those that are critical, on amber warnings; or
 * grey with a ring while it is stale, and with dots while it waits for a first value. Pure: SVG in, an address out.
 */
const SIZE = 32;
const GROUND = { critical: "#d92d3a", warning: "#a15c00" };

/** The count on a round ground in the corner, or "9+", which is all that can be read there. */
export function badged(svg: string, count: number, severity: "critical" | "warning"): string {
  const text = count > 9 ? "9+" : String(count);
  const badge =
    `<circle cx="21.5" cy="21.5" r="10.5" fill="${GROUND[severity]}" stroke="#fff" stroke-width="2"/>` +
    `<text x="21.5" y="26.5" font-family="system-ui,sans-serif" font-size="${count > 9 ? 12 : 15}" ` +
    `font-weight="700" text-anchor="middle" fill="#fff">${text}</text>`;
  return addressOf(svg, badge);
}

export function marked(svg: string, mark: "stale" | "waiting"): string {
  if (mark === "waiting") {
    const dots = [14, 21.5, 29].map((x) => `<circle cx="${x}" cy="26" r="3" fill="#3656d4" stroke="#fff"/>`);
    return addressOf(svg, dots.join(""));
  }
  const ring = '<circle cx="21.5" cy="21.5" r="8" fill="#fff" stroke="#48515f" stroke-width="4"/>';
  return addressOf(svg.replace(/fill="#[0-9a-f]+"/i, 'fill="#8a94a4"'), ring);
}

function addressOf(svg: string, more: string): string {
  const sized = svg.replace("<svg ", `<svg width="${SIZE}" height="${SIZE}" `);
  return `data:image/svg+xml,${encodeURIComponent(sized.replace("</svg>", `${more}</svg>`))}`;
}
