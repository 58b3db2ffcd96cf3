// The price over time as steps: a price is in force until the next one, and where there is none
// (the item was deleted) there is a gap.

import { grouped, plain } from "./money.js";

const PAGES = 10;

export function draw() {
  paint();
  // A part that was loaded again may have a chart whose prices are others now.
  document.addEventListener("htmx:after:swap", paint);
}

async function paint() {
  const place = document.querySelector("[data-prices]");
  if (!place || place.dataset.drawn === place.dataset.key) return;
  place.dataset.drawn = place.dataset.key;
  const intervals = await load(place.dataset.prices);
  place.replaceChildren();
  if (intervals.length) plot(place, intervals);
}

async function load(address) {
  const found = [];
  let next = address;
  for (let page = 0; next && page < PAGES; page += 1) {
    const response = await fetch(next);
    if (!response.ok) break;
    const { prices, next: cursor } = await response.json();
    found.push(...prices);
    next = cursor && `${address}&cursor=${encodeURIComponent(cursor)}`;
  }
  return found;
}

const DAY = 86_400;

// Moments as they are written everywhere here, as finely as the axis is divided.
export function ticks(_, moments, __, ___, step) {
  const [from, to] = step >= DAY ? [0, 10] : [11, step >= 60 ? 16 : 19];
  return moments.map((each) => new Date(each * 1000).toISOString().slice(from, to).replace("T", " "));
}

// A minute at least, in seconds: the axis is divided down to seconds, and not between them.
function span(_, from, to) {
  return [Math.min(from, to - 60), to];
}

// What the longest label of an axis needs, in pixels of 12px type; there are none at first.
export function room(_, labels) {
  const longest = Math.max(0, ...(labels ?? []).map((each) => String(each ?? "").length));
  return Math.max(50, 7.5 * longest + 18);
}

function plot(place, intervals) {
  // Amounts of different currencies have no common axis: the last one's is drawn.
  const { currency } = intervals.at(-1);
  const times = [];
  const prices = [];
  const written = [];
  for (const each of intervals) {
    const price = each.currency === currency ? Number(plain(each.price, currency)) : null;
    times.push(Date.parse(each.from) / 1000, (each.until ? Date.parse(each.until) : Date.now()) / 1000);
    prices.push(price, price);
    const text = price === null ? "–" : grouped(each.price, currency);
    written.push(text, text);
  }
  // Where one interval ends and the next begins, both have a point at the same moment; between two
  // that do not meet nothing is in force.
  const xs = [];
  const ys = [];
  // As it is: the highest prices are no floating-point numbers.
  const told = [];
  times.forEach((time, index) => {
    const isGap = index > 0 && index % 2 === 0 && time > times[index - 1];
    if (isGap) {
      xs.push(times[index - 1] + 0.001);
      ys.push(null);
      told.push("–");
    }
    xs.push(time);
    ys.push(prices[index]);
    told.push(written[index]);
  });
  const style = getComputedStyle(document.body);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--quiet"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  const chart = new window.uPlot(
    {
      width: place.clientWidth,
      height: 220,
      tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      legend: { show: true, live: true },
      // While nothing is pointed at, it tells the last price.
      hooks: {
        setLegend: [(made) => made.legend.idx == null && made.setLegend({ idx: xs.length - 1 }, false)],
      },
      cursor: { y: false, drag: { x: true, y: false } },
      scales: { x: { range: span }, y: { range: (_, low, high) => [0, (high || low || 1) * 1.12] } },
      axes: [{ ...axis, values: ticks, space: 90, size: 34 }, { ...axis, size: room }],
      series: [
        { label: "UTC", value: "{YYYY}-{MM}-{DD} {HH}:{mm}" },
        {
          label: currency,
          stroke: colour("--accent"),
          fill: colour("--accent-soft"),
          width: 2,
          points: { show: false },
          paths: window.uPlot.paths.stepped({ align: 1 }),
          value: (_, __, ___, index) => told[index] ?? "–",
        },
      ],
    },
    [xs, ys],
    place,
  );
  new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: 220 })).observe(place);
}
