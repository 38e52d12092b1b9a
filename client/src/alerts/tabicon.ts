/** The tab's icon: the page's own, with how many alerts fire on it: on red those that are critical, on amber warnings. Pure: SVG in, an address out. */
const SIZE = 32;
const GROUND = { critical: "#d92d3a", warning: "#a15c00" };

/** The count on a round ground in the corner, or "9+", which is all that can be read there. */
export function badged(svg: string, count: number, severity: "critical" | "warning"): string {
  const text = count > 9 ? "9+" : String(count);
  const badge =
    `<circle cx="21.5" cy="21.5" r="10.5" fill="${GROUND[severity]}" stroke="#fff" stroke-width="2"/>` +
    `<text x="21.5" y="26.5" font-family="system-ui,sans-serif" font-size="${count > 9 ? 12 : 15}" ` +
    `font-weight="700" text-anchor="middle" fill="#fff">${text}</text>`;
  const sized = svg.replace("<svg ", `<svg width="${SIZE}" height="${SIZE}" `);
  return `data:image/svg+xml,${encodeURIComponent(sized.replace("</svg>", `${badge}</svg>`))}`;
}
