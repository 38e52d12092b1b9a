/**
 * The tab's icon: the page's own icon plus the number of firing alerts, on red for critical and amber for
 * warnings; grey with a ring while stale, with dots until the first value. Pure: SVG in, a data URL out.
 */
const SIZE = 32;
const GROUND = { critical: "#d92d3a", warning: "#a15c00" };

/** Add the count on a disc in the corner; above 9 it reads "9+", since no more fits. */
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
