// The page's state, the rows of datasets after filtering, and figures as text. A filter acts on the datasets that it names;
// aggregates are computed here, after filtering, as Databricks computes them.

const content = JSON.parse(document.getElementById("content").textContent);
const root = document.documentElement;
const board = document.getElementById("board");
const state = { dashboard: 0, page: 0, filters: {}, picked: null };
const PALETTE = ["#2f7de1", "#d98324", "#2da44e", "#d1434b", "#8957e5", "#1b9aaa", "#b08800", "#d64f9b"];
const PALETTE_DARK = ["#5aa2f5", "#f0a868", "#57c878", "#f07b80", "#b794f6", "#4fc3d0", "#dcb53c", "#f08bc4"];
const GOOD = ["succeeded", "fresh", "delivered"];
const BAD = ["failed", "stale", "never loaded", "worse", "newly failing", "interrupted", "undelivered", "not built"];

const isDark = () => root.dataset.theme === "dark";
const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
const element = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value; else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
};

// Rows.

function rowsOf(dashboard, name, widget) {
  const dataset = dashboard.datasets[name];
  const at = Object.fromEntries(dataset.columns.map((column, index) => [column, index]));
  // The box that a value was picked in keeps its other values, so that another one can be picked.
  const active = Object.values(state.filters).filter((filter) => name in filter.columns && filter.by !== widget);
  return dataset.rows
    .filter((row) => active.every((filter) => filter.keeps(row[at[filter.columns[name]]])))
    .map((row) => Object.fromEntries(dataset.columns.map((column, index) => [column, row[index]])));
}

const AGGREGATE = {
  SUM: (values) => (values.length ? values.reduce((a, b) => a + b, 0) : null),
  AVG: (values) => (values.length ? values.reduce((a, b) => a + b, 0) / values.length : null),
  MIN: (values) => values.reduce((a, b) => (a === null || b < a ? b : a), null),
  MAX: (values) => values.reduce((a, b) => (a === null || b > a ? b : a), null),
  COUNT: (values) => values.length,
};

// One output row for each combination of the fields that are plain columns; the others are aggregated over it.
function compute(dashboard, widget) {
  const rows = rowsOf(dashboard, widget.dataset, widget.name);
  const fields = Object.values(widget.fields);
  const keys = fields.filter((field) => !field.aggregate);
  const measures = fields.filter((field) => field.aggregate);
  if (!measures.length) return rows.map((row) => Object.fromEntries(keys.map((f) => [f.name, row[f.column]])));
  const groups = new Map();
  for (const row of rows) {
    const key = JSON.stringify(keys.map((f) => row[f.column]));
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  if (!keys.length && !groups.size) groups.set("[]", []);
  return [...groups.entries()].map(([key, members]) => {
    const out = Object.fromEntries(keys.map((f, index) => [f.name, JSON.parse(key)[index]]));
    const aggregate = (f) => AGGREGATE[f.aggregate](members.map((row) => row[f.column]).filter((value) => value !== null));
    for (const f of measures) {
      const below = f.divisor ? aggregate(f.divisor) : null;
      if (!f.divisor) out[f.name] = aggregate(f);
      else out[f.name] = below ? aggregate(f) / below : null;
    }
    return out;
  });
}

// Numbers.

function shown(value, format) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  const kind = (format && format.type) || "number-plain";
  const places = format && format.decimalPlaces ? format.decimalPlaces.places : kind === "number-currency" ? 2 : undefined;
  const options = { maximumFractionDigits: places === undefined ? 2 : places };
  if (format && format.decimalPlaces && format.decimalPlaces.type === "exact") options.minimumFractionDigits = places;
  if (format && format.abbreviation === "compact") options.notation = "compact";
  if (kind === "number-currency") Object.assign(options, { style: "currency", currency: format.currencyCode || "USD" });
  if (kind === "number-percent") options.style = "percent";
  return new Intl.NumberFormat("en", options).format(value);
}
