// The plots of operations, of what the page has told since it was opened; and orders about dead
// commands.

import { room, ticks } from "./chart.js";
import { newKey, send, Unreachable } from "./command.js";
import { say, saysAgain } from "./say.js";
import { said } from "./words.js";

// When the figures were told that the page shows.
let toldAt = Date.now();

// Ten minutes, a figure every two seconds.
const KEPT = 300;

export function watch() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-order]");
    if (button) order(button.dataset.order, button.dataset.id, button.dataset.partition, button);
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-discard]")) return;
    event.preventDefault();
    const { command, partition } = event.target.elements;
    event.target.closest("dialog").close();
    order("discard", command.value, partition.value);
  });
  if (!document.querySelector("[data-board]")) return;
  const rate = plot("rate", "per second");
  const lag = plot("lag", "entries");
  let last = null;
  const note = () => {
    const told = document.querySelector("[data-board]").dataset;
    const now = Date.now() / 1000;
    const outcomes = Number(told.outcomes);
    if (last && now - last.now < 0.5) return;
    if (last) rate(now, Math.max(0, (outcomes - last.outcomes) / (now - last.now)));
    lag(now, Number(told.lag));
    last = { now, outcomes };
  };
  note();
  document.addEventListener("htmx:after:swap", () => {
    toldAt = Date.now();
    mark(null);
    note();
  });
}

// Says once, and not at every turn, that the figures are old; whether this page has any.
export function outdated(said) {
  if (!document.querySelector("[data-board]")) return false;
  const since = new Date(toldAt).toISOString().slice(11, 19);
  mark(`${said}. These figures are from ${since} UTC; new ones are asked for every two seconds.`);
  return true;
}

function mark(said) {
  const place = document.querySelector("[data-outdated]");
  place.hidden = said === null;
  document.querySelector("[data-up-to-date]").hidden = said !== null;
  if (place.textContent !== (said ?? "")) place.textContent = said ?? "";
}

function plot(id, label) {
  const place = document.getElementById(id);
  const style = getComputedStyle(document.body);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const size = () => ({ width: place.clientWidth, height: 170 });
  const data = [[], []];
  const collecting = document.createElement("p");
  collecting.textContent = `Collecting since ${new Date().toISOString().slice(11, 16)} UTC`;
  place.append(collecting);
  const make = () => new window.uPlot(
    {
      ...size(),
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { range: () => shown(data[0]) },
        y: { range: (_, __, high) => [0, Math.max(high || 0, 1) * 1.1] },
      },
      axes: [
        { ...axis, values: ticks, space: 90, size: 34 },
        { ...axis, size: room },
      ],
      series: [
        {},
        { label, stroke: colour("--accent"), fill: colour("--accent-soft"), width: 2, points: { show: false } },
      ],
    },
    data,
    place,
  );
  let chart = null;
  new ResizeObserver(() => chart?.setSize(size())).observe(place);
  return (time, value) => {
    data[0].push(time);
    data[1].push(value);
    for (const each of data) if (each.length > KEPT) each.shift();
    // One point is no line.
    if (data[0].length < 2) return;
    collecting.remove();
    chart ??= make();
    chart.setData(data);
  };
}

// Two minutes at least, so that the first figures are not as wide as the plot.
function shown(times) {
  const end = times.at(-1) ?? Date.now() / 1000;
  return [Math.min(times[0] ?? end, end - 120), end];
}

async function order(what, id, partition, button = null) {
  if (button) button.disabled = true;
  try {
    const path = `/dead/${encodeURIComponent(id)}/${what}?partition=${encodeURIComponent(partition)}`;
    const { problem } = await send("POST", path, { key: newKey(), once: true, onAgain: saysAgain() });
    if (problem) say(said(problem), { bad: true });
    // Its own row goes away, and the focus would with it.
    else document.getElementById("h-dead").focus();
    if (!problem) say(what === "replay" ? "It will be tried again at once" : "It will be given up at once");
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    say(error.message, { bad: true });
  } finally {
    if (button) button.disabled = false;
  }
}
