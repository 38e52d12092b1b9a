/** The page's icons, in the colour of the text. Screen readers skip them. */
const PATHS = {
  pause: "M8 5v14M16 5v14",
  play: "M8 5l11 7-11 7z",
  expand: "M14 4h6v6M10 20H4v-6M20 4l-7 7M4 20l7-7",
  download: "M12 4v11m-4.5-4.5 4.5 4.5 4.5-4.5M4 20h16",
  link: "M10 14l4-4M10.5 7l2-2a4.5 4.5 0 016.5 6.5l-2 2M13.5 17l-2 2A4.5 4.5 0 015 12.5l2-2",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  clock: "M12 3.5a8.5 8.5 0 100 17 8.5 8.5 0 000-17zM12 7.5V12l3 2",
  table: "M4 5h16v14H4zM4 10h16M4 14.5h16M10 10v9",
  chart: "M4 18l5-7 4 4 7-9",
  chevron: "M8 10l4 4 4-4",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 12.5l4.5 4.5L19 7.5",
  plus: "M12 5v14M5 12h14",
  go: "M5 12h14M13 6l6 6-6 6",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  flag: "M6 21V4h11l-2.5 4 2.5 4H6",
  bell: "M6 16V11a6 6 0 0112 0v5l1.5 2h-15zM10 21h4",
  silent: "M6 16V11a6 6 0 019-5.2M18 11v5l1.5 2h-13M10 21h4M4 4l16 16",
  search: "M10.5 4a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM15.5 15.5L20 20",
  list: "M8.5 6h12M8.5 12h12M8.5 18h12M4 6h.1M4 12h.1M4 18h.1",
  sliders:
    "M4 8h7M16.5 8H20M4 16h3M12.5 16H20M13.75 5.5a2.5 2.5 0 100 5 2.5 2.5 0 000-5zM9.75 13.5a2.5 2.5 0 100 5 2.5 2.5 0 000-5z",
  filter: "M4 6h16M7 12h10M10 18h4",
  help: "M8.7 9a3.3 3.3 0 115 3c-1.3.8-1.7 1.4-1.7 2.6M12 18.3v.1",
  copy: "M8.5 8.5h11v11h-11zM15.5 8.5v-4h-11v11h4",
  plug: "M3 21l4.5-4.5M9.7 6.7l7.5 7.5-2.2 2.3a5.2 5.2 0 01-7.5 0 5.2 5.2 0 010-7.5zM13.5 9l3-3M16.5 12l3-3",
  system: "M4 5h16v11H4zM9 20h6M12 16v4",
  light:
    "M12 8a4 4 0 100 8 4 4 0 000-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.5 1.5M17.5 17.5L19 19M5 19l1.5-1.5M17.5 6.5L19 5",
  dark: "M20 14.5A8.5 8.5 0 119.5 4 7 7 0 0020 14.5z",
};

export type IconName = keyof typeof PATHS;

export function Icon(props: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[props.name]} />
    </svg>
  );
}
