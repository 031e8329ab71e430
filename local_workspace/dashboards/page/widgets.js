// Counters, tables, texts and filters; the tabs; drawing all of a tab again when a filter changes.

function drawCounter(box, widget, rows) {
  const value = widget.encodings.value;
  const row = rows[value.rowNumber ? value.rowNumber - 1 : 0];
  const text = shown(row ? row[value.fieldName] : null, value.format);
  const tone = GOOD.includes(text) ? " good" : BAD.includes(text) ? " bad" : "";
  box.append(element("div", { class: (text.length > 7 ? "figure long" : "figure") + tone, text, title: text }));
}

const cellClass = (value, numeric) =>
  numeric ? "number" : GOOD.includes(value) ? "good" : BAD.includes(value) ? "bad" : "";

function drawTable(box, widget, rows) {
  const columns = columnsOf(widget);
  const field = pickable(widget);
  const numeric = (c) => rows.some((r) => typeof r[c.fieldName] === "number");
  const head = element("tr", {}, ...columns.map((c) => element("th", { text: c.displayName || c.fieldName, class: numeric(c) ? "number" : "" })));
  // A picked value is a button here, so that the keyboard reaches what a click on the chart does.
  const cell = (row, c) => {
    const value = row[c.fieldName];
    const text = shown(value, c.format);
    if (!field || c.fieldName !== field.name || value === null) return element("td", { text, class: cellClass(value, numeric(c)) });
    const button = element("button", { type: "button", class: "value", text, "aria-label": `Only ${text}` });
    button.addEventListener("click", () => pick(widget, String(value)));
    return element("td", {}, button);
  };
  const body = rows.map((row) => element("tr", {}, ...columns.map((c) => cell(row, c))));
  box.append(element("div", { class: "table" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...body))));
}

function drawText(box, widget) {
  for (const line of widget.text.split("\n").filter((part) => part.trim())) {
    const heading = line.match(/^(#{1,2}) (.*)$/);
    box.append(heading ? element(`h${heading[1].length}`, { text: heading[2] }) : element("p", { text: line }));
  }
}

function drawDateFilter(box, dashboard, widget) {
  const days = Object.entries(widget.filters).flatMap(([dataset, name]) => {
    const at = dashboard.datasets[dataset].columns.indexOf(name);
    return dashboard.datasets[dataset].rows.map((row) => row[at]).filter((day) => day !== null).map((day) => day.slice(0, 10));
  });
  const low = days.reduce((a, b) => (b < a ? b : a), days[0] || "");
  const high = days.reduce((a, b) => (b > a ? b : a), days[0] || "");
  const from = element("input", { type: "date", min: low, max: high, value: low, "aria-label": "from" });
  const to = element("input", { type: "date", min: low, max: high, value: high, "aria-label": "to" });
  const note = element("p", { class: "note", role: "alert" });
  const change = () => {
    const [a, b] = [from.value || low, to.value || high];
    note.textContent = a > b ? `From ${a} is after ${b}: no such period. What is shown is still the period before.` : "";
    [from, to].forEach((field) => field.setAttribute("aria-invalid", String(a > b)));
    if (a > b) return;
    state.filters[widget.name] = {
      columns: widget.filters,
      keeps: (value) => value !== null && value.slice(0, 10) >= a && value.slice(0, 10) <= b,
    };
    refresh();
  };
  from.addEventListener("change", change);
  to.addEventListener("change", change);
  const spans = [["All", null], ["90 days", 90], ["28 days", 28]].map(([text, span]) => {
    const button = element("button", { type: "button", text });
    button.addEventListener("click", () => {
      const first = span && high ? new Date(Date.parse(high) - (span - 1) * DAY).toISOString().slice(0, 10) : low;
      from.value = first < low ? low : first;
      to.value = high;
      change();
    });
    return button;
  });
  box.append(element("div", { class: "filter" }, from, element("span", { text: "to" }), to, element("span", { class: "spans" }, ...spans), note));
}

function drawSelect(box, dashboard, widget) {
  const column = Object.values(widget.filters)[0];
  const values = new Set(Object.entries(widget.filters).flatMap(([dataset, name]) => {
    const at = dashboard.datasets[dataset].columns.indexOf(name);
    return dashboard.datasets[dataset].rows.map((row) => row[at]);
  }));
  const select = element("select", { "aria-label": widget.title || column },
    element("option", { value: "", text: "All" }),
    ...[...values].sort().map((value) => element("option", { value: String(value), text: String(value) })));
  select.addEventListener("change", () => {
    if (!select.value) delete state.filters[widget.name];
    else state.filters[widget.name] = { columns: widget.filters, keeps: (value) => String(value) === select.value };
    refresh();
  });
  box.append(element("div", { class: "filter" }, select));
}

// Page.

let boxes = [];

function fill(box, dashboard, widget) {
  box.querySelectorAll(".figure, .table, .empty").forEach((node) => node.remove());
  const rows = compute(dashboard, widget);
  const measures = Object.values(widget.fields).filter((f) => f.aggregate).map((f) => f.name);
  const drawnRows = rows.filter((row) => (measures.length ? measures : Object.keys(row)).some((name) => row[name] !== null));
  let chart = box.querySelector(".chart");
  if (widget.kind === "counter") return drawCounter(box, widget, rows);
  if (!drawnRows.length) {
    if (chart) { Plotly.purge(chart); chart.remove(); }
    box.append(element("div", { class: "empty", text: "Nothing to show" }));
    return undefined;
  }
  if (widget.kind === "table" || box.dataset.view === "table") {
    if (chart) { Plotly.purge(chart); chart.remove(); }
    return drawTable(box, widget, rows);
  }
  if (!chart) {
    const spoken = `${widget.title}. ${widget.description}`;
    chart = element("div", { class: "chart", role: "img", "aria-label": spoken });
    box.append(chart);
  }
  return Promise.resolve(drawChart(chart, widget, rows)).then(() => {
    if (!pickable(widget)) return;
    chart.removeAllListeners("plotly_click");
    chart.on("plotly_click", ({ points }) => pick(widget, String(points[0].data.orientation === "h" ? points[0].y : points[0].x)));
  });
}

function refresh() {
  const dashboard = content.dashboards[state.dashboard];
  const data = boxes.filter(([, widget]) => widget.dataset);
  return Promise.all(data.map(([box, widget]) => fill(box, dashboard, widget))).then(() => {
    // What a test reads: how many charts have something to show, how many stand in the page, how many boxes are empty.
    document.body.dataset.charts = data.filter(([box, w]) => !["counter", "table"].includes(w.kind) && !box.querySelector(".empty, .table")).length;
    document.body.dataset.drawn = [...document.querySelectorAll(".chart .main-svg:first-child")]
      .filter((svg) => svg.querySelector(".trace, .heatmaplayer image, .slice")).length;
    document.body.dataset.empty = document.querySelectorAll(".empty").length;
    document.body.dataset.wide = document.documentElement.scrollWidth > window.innerWidth;
  });
}

function open() {
  const dashboard = content.dashboards[state.dashboard];
  const page = dashboard.pages[state.page];
  state.filters = {};
  state.picked = null;
  showPicked();
  boxes.forEach(([box]) => box.querySelectorAll(".chart").forEach((chart) => Plotly.purge(chart)));
  board.replaceChildren();
  boxes = page.widgets.map((widget) => {
    const p = widget.position;
    const box = element("section", { "data-kind": widget.kind, "data-widget": widget.name,
      class: (widget.kind === "text" ? "text" : "") + (p.height > 3 ? " tall" : "") });
    box.style.gridColumn = `${p.x + 1} / span ${p.width}`;
    box.style.gridRow = `${p.y + 1} / span ${p.height}`;
    if (widget.title) box.append(element("h3", { text: widget.title }));
    if (TOOLED.includes(widget.kind)) box.append(tools(box, dashboard, widget));
    if (widget.description) box.append(element("p", { text: widget.description }));
    if (widget.kind === "text") drawText(box, widget);
    if (widget.kind === "filter-date-range-picker") drawDateFilter(box, dashboard, widget);
    if (widget.kind === "filter-single-select") drawSelect(box, dashboard, widget);
    board.append(box);
    return [box, widget];
  });
  document.querySelectorAll("#tabs button").forEach((tab) =>
    tab.setAttribute("aria-selected", tab.dataset.key === `${state.dashboard}/${state.page}`));
  return refresh();
}

function start() {
  const tabs = document.getElementById("tabs");
  content.dashboards.forEach((dashboard, d) => dashboard.pages.forEach((page, p) => {
    const tab = element("button", { type: "button", role: "tab", "data-key": `${d}/${p}`, text: page.title });
    tab.addEventListener("click", () => { Object.assign(state, { dashboard: d, page: p }); location.hash = `${dashboard.name}/${page.name}`; });
    tabs.append(tab);
  }));
  document.getElementById("origin").textContent = `${content.source}, data of ${content.drawn_at}`;
  const follow = () => {
    const [name, page] = location.hash.slice(1).split("/");
    const d = Math.max(0, content.dashboards.findIndex((dashboard) => dashboard.name === name));
    const p = Math.max(0, content.dashboards[d].pages.findIndex((candidate) => candidate.name === page));
    Object.assign(state, { dashboard: d, page: p });
    return open();
  };
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const setTheme = (name) => { root.dataset.theme = name; };
  setTheme(new URLSearchParams(location.search).get("theme") || (dark.matches ? "dark" : "light"));
  document.getElementById("theme").addEventListener("click", () => { setTheme(isDark() ? "light" : "dark"); refresh(); });
  document.getElementById("picked").addEventListener("click", () => {
    state.picked = null;
    delete state.filters.picked;
    showPicked();
    refresh();
  });
  window.addEventListener("hashchange", follow);
  return follow();
}

start().then(() => { document.body.dataset.ready = "true"; });
