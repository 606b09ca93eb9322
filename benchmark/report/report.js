"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawing(name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function number(value, digits) {
  return value === null || value === undefined ? "-" : value.toFixed(digits);
}

// Theme

function setUpTheme() {
  const button = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const label = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.hidden = false;
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    label();
  });
  system.addEventListener("change", label);
  label();
}

// Curves

const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "var(--ink)", "#999999"];
const DASHES = ["", "6 3", "2 3"];
const MARKS = [
  "M-4 0A4 4 0 1 0 4 0A4 4 0 1 0 -4 0Z", "M-4 -4H4V4H-4Z", "M0 -5.5L5.5 0L0 5.5L-5.5 0Z",
  "M0 -5L5 4H-5Z", "M0 5L5 -4H-5Z", "M-5 -2H-2V-5H2V-2H5V2H2V5H-2V2H-5Z",
];
const OFF_HULL = 0.5; // the size of the marks of rate points off a convex hull
const QUALITIES = Object.fromEntries(data.qualities.map((quality) => [quality.column, quality]));
const curves = data.curves.filter((curve) => curve.points.length > 1);
const levels = data.curves.filter((curve) => curve.points.length === 1);
curves.forEach((curve, index) => {
  curve.colour = COLOURS[index % COLOURS.length];
  curve.dash = curve.external ? "7 4" : DASHES[Math.floor(index / COLOURS.length) % DASHES.length];
  curve.fill = curve.external ? "var(--paper)" : curve.colour;
  curve.mark = MARKS[index % MARKS.length];
  curve.points.sort((a, b) => a.bpp - b.bpp);
});
levels.forEach((level, index) => {
  level.colour = "var(--faint)";
  level.dash = ["6 4", "2 4"][index % 2];
});
const hidden = new Set();

function setUpCurves() {
  const select = byId("quality");
  for (const { column: key, title } of data.qualities) {
    if (curves.some((curve) => curve.points.some((point) => point[key] !== null))) {
      select.append(new Option(title, key));
    }
  }
  if (!select.options.length) return;
  for (const curve of [...curves, ...levels]) byId("legend").append(legendEntry(curve));
  byId("static-curves").hidden = true;
  byId("curves").hidden = false;
  select.addEventListener("change", drawCurves);
  new ResizeObserver(drawCurves).observe(byId("chart"));
}

function legendEntry(curve) {
  const box = element("input", { type: "checkbox" });
  box.checked = true;
  box.addEventListener("change", () => {
    if (box.checked) hidden.delete(curve.codec);
    else hidden.add(curve.codec);
    drawCurves();
    drawDifferences();
  });
  const swatch = drawing("svg", { width: 34, height: 14, viewBox: "-17 -7 34 14", "aria-hidden": "true" });
  swatch.append(drawing("path", { d: "M-16 0H16", stroke: curve.colour, "stroke-width": 2, "stroke-dasharray": curve.dash }));
  if (curve.mark) swatch.append(drawing("path", { d: curve.mark, fill: curve.fill, stroke: curve.colour }));
  return element("li", {}, element("label", {}, box, swatch, curve.label));
}

let drawnWidth = 0;
let drawnState = "";
let marks = [];

function drawCurves() {
  const chart = byId("chart");
  const key = byId("quality").value;
  const state = [key, ...hidden].join();
  if (chart.clientWidth === drawnWidth && state === drawnState) return;
  drawnWidth = chart.clientWidth;
  drawnState = state;
  const width = Math.max(280, drawnWidth);
  const height = Math.min(460, Math.max(280, width * 0.55));
  const space = { left: 52, right: 12, top: 12, bottom: 44 };
  const points = (curve) => curve.points.filter((point) => point[key] !== null);
  const isOn = (point) => !point.hulls || point.hulls.includes(key);
  const shown = curves.filter((curve) => !hidden.has(curve.codec) && points(curve).length);
  // the axes stay as they are when codecs are switched off
  const all = curves.flatMap(points);
  const lines = levels.filter((level) => !hidden.has(level.codec) && points(level).length
    && QUALITIES[key].limits);
  const rates = all.map((point) => Math.log10(point.bpp));
  const ends = key === "wap" ? ["wap_low", "wap", "wap_high"] : [key];
  const values = [...all, ...lines.flatMap(points)]
    .flatMap((point) => ends.map((end) => point[end])).filter((value) => value !== null);
  const [low, high] = [Math.min(...rates) - 0.05, Math.max(...rates) + 0.05];
  const steps = niceSteps(Math.min(...values), Math.max(...values));
  const x = (rate) => space.left + (Math.log10(rate) - low) / (high - low) * (width - space.left - space.right);
  const y = (value) => height - space.bottom
    - (value - steps[0]) / (steps[steps.length - 1] - steps[0]) * (height - space.top - space.bottom);
  const svg = drawing("svg", { height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `${QUALITIES[key].title} against bits per pixel` });
  drawAxes(svg, { width, height, space, x, y, low, high, steps, key });
  for (const level of lines) {
    const at = y(points(level)[0][key]);
    svg.append(drawing("path", { d: `M${space.left} ${at}H${width - space.right}`, stroke: level.colour, "stroke-dasharray": level.dash, "stroke-width": 1.5 }));
  }
  marks = [];
  for (const curve of shown) {
    const path = points(curve).filter(isOn).map((point) => `${x(point.bpp)} ${y(point[key])}`).join("L");
    svg.append(drawing("path", { d: "M" + path, fill: "none", stroke: curve.colour, "stroke-width": 2, "stroke-dasharray": curve.dash }));
  }
  for (const curve of key === "wap" ? shown : []) {
    for (const point of points(curve).filter(isOn)) {
      if (point.wap_low === null) continue;
      const d = `M${x(point.bpp)} ${y(point.wap_low)}V${y(point.wap_high)}`;
      svg.append(drawing("path", { class: "interval", d, stroke: curve.colour }));
    }
  }
  for (const curve of shown) {
    for (const point of points(curve)) {
      const place = { x: x(point.bpp), y: y(point[key]) };
      const mark = drawing("path", {
        class: "point", d: curve.mark, fill: curve.fill, stroke: curve.colour, tabindex: marks.length ? -1 : 0, role: "img",
        transform: `translate(${place.x} ${place.y}) scale(${isOn(point) ? 1 : OFF_HULL})`, "aria-label": describe(curve, point).replaceAll("\n", ", "),
      });
      const entry = { ...place, curve, point, mark };
      mark.addEventListener("focus", () => showTip(entry));
      mark.addEventListener("blur", hideTip);
      mark.addEventListener("keydown", (event) => moveFocus(event, entry));
      marks.push(entry);
      svg.append(mark);
    }
  }
  svg.addEventListener("pointermove", (event) => pointAt(event, svg));
  svg.addEventListener("pointerdown", (event) => pointAt(event, svg));
  svg.addEventListener("pointerleave", hideTip);
  hideTip();
  chart.querySelector("svg")?.remove();
  chart.prepend(svg);
}

function niceSteps(lowest, highest) {
  const range = highest - lowest || 1;
  const rough = range / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const steps = [];
  for (let index = Math.floor(lowest / step); (index - 1) * step < highest; index += 1) {
    steps.push(Number((index * step).toPrecision(10)));
  }
  return steps;
}

function drawAxes(svg, { width, height, space, x, y, low, high, steps, key }) {
  const bottom = height - space.bottom;
  for (const step of steps) {
    svg.append(drawing("path", { class: "grid", d: `M${space.left} ${y(step)}H${width - space.right}` }));
    svg.append(drawing("text", { x: space.left - 6, y: y(step) + 4, "text-anchor": "end" }, String(step)));
  }
  for (let power = Math.floor(low); power <= high; power += 1) {
    for (const factor of [1, 2, 5]) {
      const rate = factor * 10 ** power;
      if (Math.log10(rate) < low || Math.log10(rate) > high) continue;
      svg.append(drawing("path", { class: "grid", d: `M${x(rate)} ${space.top}V${bottom}` }));
      if (width < 480 && factor !== 1) continue;
      svg.append(drawing("text", { x: x(rate), y: bottom + 16, "text-anchor": "middle" }, String(Number(rate.toPrecision(2)))));
    }
  }
  svg.append(drawing("path", { class: "axis", fill: "none", d: `M${space.left} ${space.top}V${bottom}H${width - space.right}` }));
  svg.append(drawing("text", { x: (space.left + width) / 2, y: height - 8, "text-anchor": "middle" }, "rate / bits per pixel"));
  const middle = (space.top + bottom) / 2;
  svg.append(drawing("text", { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, QUALITIES[key].title));
}

function describe(curve, point) {
  const lines = [`${curve.label} ${point.rate}`, `${number(point.bpp, 4)} bpp`];
  for (const { column, label, unit, digits } of data.qualities) {
    if (point[column] !== null) lines.push(`${label} ${number(point[column], digits)} ${unit}`.trim());
  }
  if (point.wap_low !== null) lines.push(`95 % of wAP: ${number(point.wap_low, 2)} to ${number(point.wap_high, 2)} %`);
  if (point.hulls && !point.hulls.includes(byId("quality").value)) lines.push("off the convex hull");
  lines.push(`encode ${number(point.encode_s, 3)} s, decode ${number(point.decode_s, 3)} s`);
  return lines.join("\n");
}

function pointAt(event, svg) {
  const box = svg.getBoundingClientRect();
  const scale = svg.viewBox.baseVal.width / box.width;
  const at = { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
  const distance = (entry) => Math.hypot(entry.x - at.x, entry.y - at.y);
  const nearest = marks.reduce((best, entry) => (!best || distance(entry) < distance(best) ? entry : best), null);
  if (nearest && distance(nearest) < 24) showTip(nearest);
  else hideTip();
}

function showTip(entry) {
  const tip = byId("tip");
  tip.textContent = describe(entry.curve, entry.point);
  tip.hidden = false;
  const room = byId("chart").clientWidth - tip.offsetWidth;
  tip.style.left = `${Math.max(0, Math.min(room, entry.x + 12))}px`;
  tip.style.top = `${entry.y + 14 + tip.offsetHeight > byId("chart").clientHeight ? entry.y - tip.offsetHeight - 10 : entry.y + 14}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}

function moveFocus(event, entry) {
  const own = marks.filter((other) => other.curve === entry.curve);
  const shown = [...new Set(marks.map((other) => other.curve))];
  const turn = (list, item, step) => list[(list.indexOf(item) + step + list.length) % list.length];
  let next = null;
  if (event.key === "ArrowRight") next = turn(own, entry, 1);
  if (event.key === "ArrowLeft") next = turn(own, entry, -1);
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const curve = turn(shown, entry.curve, event.key === "ArrowDown" ? 1 : -1);
    const there = marks.filter((other) => other.curve === curve);
    const distance = (other) => Math.abs(other.x - entry.x);
    next = there.reduce((best, other) => (distance(other) < distance(best) ? other : best));
  }
  if (event.key === "Escape") hideTip();
  if (!next) return;
  event.preventDefault();
  entry.mark.setAttribute("tabindex", -1);
  next.mark.setAttribute("tabindex", 0);
  next.mark.focus();
}

// Tables

function setUpSorting() {
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((header, column) => {
      const button = element("button", { type: "button" }, header.textContent);
      header.replaceChildren(button);
      button.addEventListener("click", () => {
        const falling = header.getAttribute("aria-sort") === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        header.setAttribute("aria-sort", falling ? "descending" : "ascending");
        sortRows(table, column, falling);
      });
    });
  }
}

function sortRows(table, column, falling) {
  const rows = [...table.tBodies[0].rows];
  const value = (row) => row.cells[column].dataset.value || row.cells[column].textContent.trim();
  const numeric = rows.some((row) => value(row) !== "-" && !Number.isNaN(parseFloat(value(row))))
    && rows.every((row) => value(row) === "-" || !Number.isNaN(Number(value(row))));
  rows.sort((a, b) => {
    const [first, second] = [value(a), value(b)];
    if (!numeric) return (falling ? -1 : 1) * first.localeCompare(second, "en", { numeric: true });
    // what has no number stays below
    if (first === "-" || second === "-") return (first === "-") - (second === "-");
    return (falling ? -1 : 1) * (Number(first) - Number(second));
  });
  table.tBodies[0].append(...rows);
}

function setUpAnchors() {
  const select = byId("anchor");
  const anchors = Object.keys(data.deltas);
  if (anchors.length < 2) return;
  if (!data.anchor) select.append(new Option("none", ""));
  for (const anchor of anchors) select.append(new Option(anchor, anchor));
  select.value = data.anchor;
  byId("anchor-choice").hidden = false;
  select.addEventListener("change", () => {
    showDeltas(select.value);
    drawDifferences();
  });
  new ResizeObserver(drawDifferences).observe(byId("anchor-choice"));
}

function showDeltas(anchor) {
  const table = byId("deltas");
  table.hidden = !anchor;
  if (byId("anchor-name")) byId("anchor-name").textContent = anchor;
  if (byId("no-anchor")) byId("no-anchor").hidden = Boolean(anchor);
  table.tBodies[0].replaceChildren(...(data.deltas[anchor] || []).map((row) => element("tr", {},
    element("td", { class: "name" }, row.codec),
    ...row.cells.map((cell) => element("td", { "data-value": cell.value, class: cell.within ? "within" : "" },
      cell.text, ...cell.details.map((detail) => element("small", {}, detail)))))));
  const sorted = table.querySelector("[aria-sort]");
  if (sorted) sortRows(table, sorted.cellIndex, sorted.getAttribute("aria-sort") === "descending");
}

// Relative curve differences

const RATIOS = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16];

function drawDifferences() {
  const differences = data.differences[byId("anchor").value] || {};
  const panels = data.qualities.map(({ column: key }) => key).map((key) => [key, (differences[key] || []).filter((its) => its.points.length)])
    .filter(([, all]) => all.length);
  const place = byId("differences");
  place.hidden = !panels.length;
  const width = Math.max(280, place.clientWidth < 640 ? place.clientWidth : place.clientWidth / panels.length - 8);
  place.replaceChildren(...panels.map(([key, all]) => drawDifference(key, all, width)));
}

function drawDifference(key, all, width) {
  const height = 250;
  const space = { left: 58, right: 12, top: 10, bottom: 40 };
  const doublings = (percent) => Math.log2(Math.max(1 + percent / 100, 1e-3));
  const values = all.flatMap((its) => its.points.map(([, percent]) => doublings(percent)));
  const [low, high] = [Math.min(-0.5, ...values) - 0.2, Math.max(0.5, ...values) + 0.2];
  const qualities = all.flatMap((its) => its.points.map(([quality]) => quality));
  const steps = niceSteps(Math.min(...qualities), Math.max(...qualities));
  const [first, last] = [steps[0], steps[steps.length - 1]];
  const x = (quality) => space.left + (quality - first) / (last - first) * (width - space.left - space.right);
  const y = (value) => space.top + (high - value) / (high - low) * (height - space.top - space.bottom);
  const anchor = byId("anchor").value;
  const svg = drawing("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Rate relative to ${anchor} at equal ${QUALITIES[key].title}` });
  const bottom = height - space.bottom;
  for (const step of steps) {
    svg.append(drawing("path", { class: "grid", d: `M${x(step)} ${space.top}V${bottom}` }));
    svg.append(drawing("text", { x: x(step), y: bottom + 16, "text-anchor": "middle" }, String(step)));
  }
  for (const ratio of RATIOS) {
    const at = Math.log2(ratio);
    if (at < low || at > high) continue;
    svg.append(drawing("path", { class: ratio === 1 ? "axis" : "grid", d: `M${space.left} ${y(at)}H${width - space.right}` }));
    const percent = Number((100 * (ratio - 1)).toFixed(1));
    svg.append(drawing("text", { x: space.left - 6, y: y(at) + 4, "text-anchor": "end" }, (percent > 0 ? "+" : "") + percent));
  }
  for (const its of all) {
    if (hidden.has(its.codec)) continue;
    const curve = curves.find((other) => other.codec === its.codec);
    const d = "M" + its.points.map(([quality, percent]) => `${x(quality)} ${y(doublings(percent))}`).join("L");
    const path = drawing("path", { class: "difference", d, stroke: curve.colour, "stroke-dasharray": curve.dash });
    path.append(drawing("title", {}, its.codec));
    svg.append(path);
  }
  svg.append(drawing("text", { x: (space.left + width) / 2, y: height - 6, "text-anchor": "middle" }, QUALITIES[key].title));
  const middle = (space.top + bottom) / 2;
  svg.append(drawing("text", { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, `rate relative to ${anchor} / %`));
  return svg;
}

// Pictures

const OUTLINES = ["#56b4e9", "#e69f00", "#00d09a", "#ff9ad5", "#ffe14d", "#ff7a33", "#7fd0ff", "#ffffff"];
const sides = ["left", "right"];

function setUpGallery() {
  if (!data.pictures.length) return;
  byId("order").append(new Option("name", ""));
  const compressed = data.pictures.filter((picture) => lossOf(picture) !== null);
  for (const name of new Set(compressed.map(nameOf))) byId("order").append(new Option(`loss of ${name}`, name));
  byId("order").addEventListener("change", orderImages);
  for (const side of sides) {
    const layer = element("div", { id: `${side}-layer` });
    layer.append(element("img", { alt: "", draggable: "false" }), drawing("svg", { "aria-hidden": "true" }));
    byId("stage").insertBefore(layer, byId("handle"));
    byId(side).addEventListener("change", showPictures);
  }
  byId("image").addEventListener("change", chooseImage);
  byId("detections").addEventListener("change", showPictures);
  byId("slider").addEventListener("input", slide);
  const stage = byId("stage");
  const follow = (event) => {
    const box = stage.getBoundingClientRect();
    byId("slider").value = 100 * (event.clientX - box.left) / box.width;
    slide();
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  byId("gallery").hidden = false;
  orderImages();
}

// What an image by itself loses of its wAP; null where it is the original or is not known
function lossOf(picture) {
  const original = data.pictures.find((its) => its.image === picture.image && its.codec === data.original && its.wap !== null);
  return original && original !== picture && picture.wap !== null ? original.wap - picture.wap : null;
}

// The images by name, or those first where a rate point loses most; that one is shown on the right
function orderImages() {
  const name = byId("order").value;
  const images = [...new Set(data.pictures.map((picture) => picture.image))];
  const losses = new Map(images.map((image) => {
    const picture = data.pictures.find((its) => its.image === image && nameOf(its) === name);
    return [image, picture ? lossOf(picture) : null];
  }));
  if (name) images.sort((a, b) => (losses.get(b) ?? -Infinity) - (losses.get(a) ?? -Infinity));
  byId("image").replaceChildren(...images.map((image) => {
    const loss = losses.get(image);
    return new Option(loss === null ? image : `${image}: ${number(-loss, 1)} wAP`, image);
  }));
  chooseImage();
  if (name) byId("right").value = name;
  showPictures();
}

const nameOf = (picture) => `${picture.codec} ${picture.rate_point}`;

function chooseImage() {
  const there = data.pictures.filter((picture) => picture.image === byId("image").value);
  sides.forEach((side, index) => {
    const select = byId(side);
    const before = select.value;
    select.replaceChildren(...there.map((picture) => new Option(`${nameOf(picture)}: ${number(picture.bpp, 3)} bpp`, nameOf(picture))));
    select.value = before;
    if (!select.value) select.selectedIndex = index ? Math.min(there.length - 1, 2) : 0;
  });
  showPictures();
}

function showPictures() {
  for (const side of sides) {
    const picture = data.pictures.find((its) => its.image === byId("image").value && nameOf(its) === byId(side).value);
    const layer = byId(`${side}-layer`);
    byId("stage").style.aspectRatio = `${picture.width} / ${picture.height}`;
    layer.querySelector("img").src = picture.source;
    layer.querySelector("img").alt = `${picture.image}, ${nameOf(picture)}`;
    drawDetections(layer.querySelector("svg"), picture);
    const quality = picture.psnr === null ? "" : `, ${number(picture.psnr, 2)} dB`;
    const wap = picture.wap === null ? "" : `, wAP of this image ${number(picture.wap, 1)} %`;
    byId(`${side}-caption`).textContent = `${nameOf(picture)}: ${number(picture.bpp, 4)} bpp${quality}${wap}, ${picture.outlines.length} detections`;
  }
  slide();
}

const categories = [...new Set(data.pictures.flatMap((picture) => picture.outlines.map((outline) => outline.category)))].sort();

function drawDetections(svg, picture) {
  svg.setAttribute("viewBox", `0 0 ${picture.width} ${picture.height}`);
  svg.replaceChildren();
  if (!byId("detections").checked) return;
  for (const outline of picture.outlines) {
    const colour = OUTLINES[categories.indexOf(outline.category) % OUTLINES.length];
    svg.append(drawing("path", { d: outline.path, fill: colour, stroke: colour }));
  }
  const size = picture.width / 75;
  const labels = [];
  for (const outline of [...picture.outlines].sort((a, b) => b.score - a.score)) {
    const [x, y] = outline.path.slice(1).split("L")[0].split(" ").map(Number);
    // of labels that would overlap, the one of the highest score stays
    if (labels.some((label) => Math.abs(label.x - x) < 5 * size && Math.abs(label.y - y) < size)) continue;
    labels.push({ x, y });
    svg.append(drawing("text", { x, y, "font-size": size }, `${outline.category} ${number(outline.score, 2)}`));
  }
}

function slide() {
  const at = byId("slider").value;
  byId("left-layer").style.clipPath = `inset(0 ${100 - at}% 0 0)`;
  byId("right-layer").style.clipPath = `inset(0 0 0 ${at}%)`;
  byId("handle").style.left = `${at}%`;
}

setUpTheme();
setUpCurves();
setUpSorting();
setUpAnchors();
setUpGallery();
