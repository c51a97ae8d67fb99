/** Icons, drawn for this page on a grid of 24: the path of each. */

export const ICONS = {
  walk: "M13 4.5a1.2 1.2 0 1 0 .01 0M9 21l2.2-6-2.4-2.6 1-4.9 2.7-.5 2 3.2 2.8 1M9.8 7.6 7 9.5v3M13.4 12.6 15 16l1.5 5",
  loop: "M5 12a7 7 0 0 1 12-4.9L19 9M19 5v4h-4M19 12a7 7 0 0 1-12 4.9L5 15M5 19v-4h4",
  flag: "M6 21V4M6 5h11l-2.5 3.5L17 12H6",
  search: "M11 4.5a6.5 6.5 0 1 0 .01 0M16 16l4.5 4.5",
  sliders: "M4 7h9M17 7h3M15 4.8v4.4M4 17h3M11 17h9M9 14.8v4.4",
  gear: "M10.4 5.2L10.5 2.7L13.5 2.7L13.6 5.2L15.7 6.0L17.5 4.4L19.6 6.5L18.0 8.3L18.8 10.4L21.3 10.5L21.3 13.5L18.8 13.6L18.0 15.7L19.6 17.5L17.5 19.6L15.7 18.0L13.6 18.8L13.5 21.3L10.5 21.3L10.4 18.8L8.3 18.0L6.5 19.6L4.4 17.5L6.0 15.7L5.2 13.6L2.7 13.5L2.7 10.5L5.2 10.4L6.0 8.3L4.4 6.5L6.5 4.4L8.3 6.0zM12 9a3 3 0 1 0 .01 0",
  close: "M6 6l12 12M18 6 6 18",
  locate: "M12 7a5 5 0 1 0 .01 0M12 2.5v3M12 18.5v3M2.5 12h3M18.5 12h3",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  voice: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  mute: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5",
  again: "M4 12a8 8 0 0 1 13.7-5.6L20 8.5M20 4v4.5h-4.5M20 12a8 8 0 0 1-13.7 5.6L4 15.5M4 20v-4.5h4.5",
  quiet: "M4 10v4h3l4 3.5v-11L7 10zM15 12h.01M18 12h.01M21 12h.01",
  noise: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 8l4-3M16.5 12H21M16 16l4 3",
  leaf: "M5 19c0-9 5-13.5 14.5-13.5C19.5 15 15 19 9 19c-1.5 0-2.6-.6-3.3-1.6M5 20c1.5-4 4.5-7 9-9",
  water: "M3 9c2-1.8 4-1.8 6 0s4 1.8 6 0 4-1.8 6 0M3 15c2-1.8 4-1.8 6 0s4 1.8 6 0 4-1.8 6 0",
  sights: "M4 20h16M5 20v-8M19 20v-8M9.5 20v-8M14.5 20v-8M3.5 10 12 4l8.5 6z",
  cup: "M5 9h11v5.5A4.5 4.5 0 0 1 11.5 19h-2A4.5 4.5 0 0 1 5 14.5zM16 10.5h1.5a2.5 2.5 0 0 1 0 5H16M8.5 3.5v2.5M12.5 3.5v2.5",
  air: "M3 9h10.5a2.5 2.5 0 1 0-2.4-3.2M3 13h15a2.5 2.5 0 1 1-2.4 3.2M3 17h8a2 2 0 1 1-1.9 2.6",
  umbrella: "M12 3v1.5M3.5 13a8.5 8.5 0 0 1 17 0zM12 13v5.5a2.2 2.2 0 0 1-4.4 0",
  sun: "M12 8a4 4 0 1 0 .01 0M12 2.5V4M12 20v1.5M4.2 5.2l1.1 1M18.7 17.8l1.1 1M2.5 12H4M20 12h1.5M4.2 18.8l1.1-1M18.7 6.2l1.1-1",
  lamp: "M9 18h6M10 21h4M8.5 14.5A5.5 5.5 0 1 1 15.5 14.5c-.6.6-1 1.3-1 2h-5c0-.7-.4-1.4-1-2z",
  steps: "M4 19h4v-4h4v-4h4V7h4",
  people: "M9 5.500a2.7 2.7 0 1 0 .01 0M3.5 19c0-3.5 2.3-6 5.5-6s5.5 2.5 5.5 6M16 6.200a2.5 2.5 0 0 1 0 4.800M17 13.500c2.2.6 3.5 2.7 3.5 5.5",
  car: "M4 16v-4l2-5h12l2 5v4zM4 12h16M7 16v2.500M17 16v2.5",
  closed: "M12 4a8 8 0 1 0 .01 0M8 12h8",
  clock: "M12 4a8 8 0 1 0 .01 0M12 7.500V12l3 2",
  sparkle: "M12 4l1.8 6.200L20 12l-6.2 1.800L12 20l-1.8-6.200L4 12l6.2-1.800z",
  star: "M12 3.800l2.5 5.3 5.7.7-4.2 4 1.1 5.700L12 16.700l-5.1 2.800L8 13.800l-4.2-4 5.7-.7z",
  ahead: "M12 20V5M6.5 10.5 12 5l5.5 5.5",
  left: "M19 20v-6.500a4 4 0 0 0-4-4H5M10 4.500l-5 5 5 5",
  right: "M5 20v-6.500a4 4 0 0 1 4-4h10M14 4.500l5 5-5 5",
  slight_left: "M16 20v-6L7 5M7 12V5h7",
  slight_right: "M8 20v-6l9-9M17 12V5h-7",
  sharp_left: "M17 20V6L7 15M7 9v6h6",
  sharp_right: "M7 20V6l10 9M17 9v6h-6",
  around: "M17 20V9a4.5 4.5 0 0 0-9 0v7M4 12.500l4 4 4-4",
  crossing: "M6 4v16M18 4v16M6 8h12M6 12h12M6 16h12",
} as const;

export type IconName = keyof typeof ICONS;

/** Of the factors in `geo.routing.costs`. */
export const FACTOR_ICON: Record<string, IconName> = {
  noise: "quiet", air: "air", green: "leaf", water: "water", unlit: "lamp", rough_surface: "walk", steps: "steps",
  sights: "sights", steep: "steps", unsheltered: "umbrella", narrow: "walk", amenities: "cup", traffic: "car",
  rain: "umbrella", wind: "air", heat: "sun", dark: "lamp", aqi: "air", crowd: "people",
};

export function maneuverIcon(type: string, modifier?: string): IconName {
  if (type === "arrive") return "flag";
  if (type === "depart") return "walk";
  if (modifier === "uturn") return "around";
  const name = modifier?.replace(" ", "_");
  return name !== undefined && name in ICONS ? (name as IconName) : "ahead";
}
