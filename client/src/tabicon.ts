/** The tab's icon: the page's own, with how many alerts are critical on it. Pure: SVG in, an address out. */
const SIZE = 32;

/** The count on a round ground in the corner, or "9+", which is all that can be read there. */
export function badged(svg: string, count: number): string {
  const text = count > 9 ? "9+" : String(count);
  const badge =
    `<circle cx="21.5" cy="21.5" r="10.5" fill="#d92d3a" stroke="#fff" stroke-width="2"/>` +
    `<text x="21.5" y="26.5" font-family="system-ui,sans-serif" font-size="${count > 9 ? 12 : 15}" ` +
    `font-weight="700" text-anchor="middle" fill="#fff">${text}</text>`;
  const sized = svg.replace("<svg ", `<svg width="${SIZE}" height="${SIZE}" `);
  return `data:image/svg+xml,${encodeURIComponent(sized.replace("</svg>", `${badge}</svg>`))}`;
}
