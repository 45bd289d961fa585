// What is for sale. The pictures are drawn here, so that the shop needs no file but its style sheet.
import { raw } from "./html.js";

const picture = (background, shapes) =>
  raw(
    `<svg viewBox="0 0 120 90" aria-hidden="true" focusable="false"><rect width="120" height="90" fill="${background}"/>${shapes}</svg>`,
  );

const list = [
  {
    id: "compass",
    name: "Brass compass",
    cents: 4900,
    summary: "Points north, whatever happens to the servers.",
    story: "Liquid-filled, with a lid that closes with a click and a needle that settles in two seconds.",
    picture: picture(
      "#dfe9ef",
      '<circle cx="60" cy="45" r="31" fill="#c99a3f"/><circle cx="60" cy="45" r="25" fill="#fffaf0"/><g stroke="#38546b" stroke-width="2" stroke-linecap="round"><path d="M60 24v4M60 62v4M39 45h4M77 45h4"/></g><path d="M60 26l6 19h-12z" fill="#c8453b"/><path d="M60 64l6-19h-12z" fill="#38546b"/><circle cx="60" cy="45" r="3" fill="#c99a3f"/><path d="M54 12a6 6 0 0 1 12 0" fill="none" stroke="#c99a3f" stroke-width="3.5"/>',
    ),
  },
  {
    id: "lantern",
    name: "Storm lantern",
    cents: 3450,
    summary: "Burns through the night and most of the next day.",
    story: "Galvanised steel, a glass that can be replaced, and a wick that every harbour sells.",
    picture: picture(
      "#22384d",
      '<circle cx="60" cy="48" r="34" fill="#33506a"/><path d="M47 24a13 13 0 0 1 26 0" fill="none" stroke="#a9bccb" stroke-width="3"/><rect x="49" y="22" width="22" height="7" rx="2" fill="#a9bccb"/><path d="M46 32h28l4 30H42z" fill="#f9dda6"/><path d="M60 38c8 9 8 18 0 20c-8-2-8-11 0-20z" fill="#e8862e"/><path d="M60 46c4 5 4 10 0 11c-4-1-4-6 0-11z" fill="#fff3c9"/><rect x="40" y="62" width="40" height="6" rx="2" fill="#a9bccb"/><rect x="44" y="68" width="32" height="9" rx="3" fill="#7f97a9"/><path d="M45 30l-5 34M75 30l5 34" stroke="#a9bccb" stroke-width="2.5"/>',
    ),
  },
  {
    id: "rope",
    name: "Mooring rope, 20\u00a0m",
    cents: 2800,
    summary: "Three strands of hemp, spliced by hand.",
    story: "It holds a ten-metre boat in a strong wind and still coils like new the next morning.",
    picture: picture(
      "#e8e2d4",
      '<g fill="none" stroke-linecap="round"><g stroke="#a97f45" stroke-width="9"><ellipse cx="58" cy="38" rx="30" ry="13"/><ellipse cx="58" cy="50" rx="32" ry="14"/><ellipse cx="58" cy="62" rx="34" ry="14"/><path d="M90 62c12 2 14 12 22 12"/></g><g stroke="#d3ab70" stroke-width="5" stroke-dasharray="5 5"><ellipse cx="58" cy="38" rx="30" ry="13"/><ellipse cx="58" cy="50" rx="32" ry="14"/><ellipse cx="58" cy="62" rx="34" ry="14"/><path d="M90 62c12 2 14 12 22 12"/></g></g>',
    ),
  },
  {
    id: "bell",
    name: "Ship's bell",
    cents: 8900,
    summary: "Heard across the bay, in fog as well.",
    story: "Cast bronze with a plaited bell rope. Eight strokes, and the watch is over.",
    picture: picture(
      "#e3ece6",
      '<path d="M52 14h16v6H52z" fill="#7d5b2a"/><path d="M60 18c18 0 20 16 21 30l7 12H32l7-12c1-14 3-30 21-30z" fill="#d3a245"/><path d="M50 24c-6 6-6 18-7 26" stroke="#f0d28c" stroke-width="4" fill="none" stroke-linecap="round"/><rect x="30" y="60" width="60" height="6" rx="3" fill="#b5842f"/><circle cx="60" cy="70" r="6" fill="#7d5b2a"/><path d="M60 74v10" stroke="#c8453b" stroke-width="4" stroke-linecap="round"/>',
    ),
  },
  {
    id: "buoy",
    name: "Life buoy",
    cents: 5600,
    summary: "For the one who falls over: always have a second one.",
    story: "Filled with closed-cell foam; it floats after years in the sun and with a hole in it.",
    picture: picture(
      "#cfe3ee",
      '<path d="M0 66c15-7 25 7 40 0s25 7 40 0 25 7 40 0v24H0z" fill="#7fb2cc"/><circle cx="60" cy="42" r="23" fill="none" stroke="#fff" stroke-width="14"/><circle cx="60" cy="42" r="23" fill="none" stroke="#d5493c" stroke-width="14" stroke-dasharray="18.06 18.06"/><circle cx="60" cy="42" r="31.5" fill="none" stroke="#8a6d45" stroke-width="1.5"/>',
    ),
  },
  {
    id: "anchor",
    name: "Folding anchor",
    cents: 6700,
    summary: "Four kilograms that stay where they are put.",
    story: "It folds flat for the locker and opens with one pull; the shackle is part of it.",
    picture: picture(
      "#dde3ea",
      '<g fill="none" stroke="#3d566b" stroke-width="6" stroke-linecap="round" stroke-linejoin="round"><circle cx="60" cy="17" r="7"/><path d="M60 24v52M44 34h32M28 54c2 16 16 22 32 22s30-6 32-22"/></g><path d="M20 60l8-14 9 13zM100 60l-8-14-9 13z" fill="#3d566b"/>',
    ),
  },
  {
    id: "oilskin",
    name: "Oilskin jacket",
    cents: 12900,
    summary: "Yellow, because somebody has to be seen.",
    story: "Waxed cotton with a corduroy collar. Rub in new wax each spring and pass it on one day.",
    picture: picture(
      "#d9e6e4",
      '<path d="M44 18l16 6 16-6 20 16-9 24-9-5v25H42V53l-9 5-9-24z" fill="#edbb3a"/><path d="M44 18l16 18 16-18-16 6z" fill="#7a5a2c"/><path d="M60 34v44" stroke="#c5922a" stroke-width="2"/><g fill="#7a5a2c"><circle cx="64" cy="46" r="2"/><circle cx="64" cy="57" r="2"/><circle cx="64" cy="68" r="2"/></g><path d="M47 60h9M67 60h8" stroke="#c5922a" stroke-width="3" stroke-linecap="round"/>',
    ),
  },
  {
    id: "mug",
    name: "Enamel mug",
    cents: 1250,
    summary: "Falls down the ladder, goes on working.",
    story: "Steel under white enamel with a blue rim. Chips are signs of service.",
    picture: picture(
      "#e9e3dc",
      '<path d="M78 36h8a10 10 0 0 1 0 26h-9" fill="none" stroke="#2e5c86" stroke-width="6"/><path d="M36 26h44l-3 48a4 4 0 0 1-4 4H43a4 4 0 0 1-4-4z" fill="#fdfdfb"/><rect x="34" y="23" width="48" height="6" rx="3" fill="#2e5c86"/><path d="M58 42v24M51 48h14M46 57c2 8 7 10 12 10s10-2 12-10" fill="none" stroke="#2e5c86" stroke-width="3" stroke-linecap="round"/><g stroke="#b9ab99" stroke-width="2.5" fill="none" stroke-linecap="round"><path d="M50 17c-3-4 3-6 0-10M62 17c-3-4 3-6 0-10"/></g>',
    ),
  },
];

/** By id, in the order of the shop window. */
export const products = new Map(list.map((product) => [product.id, Object.freeze(product)]));
