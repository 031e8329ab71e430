"use strict";
// Draws the widgets of AI/BI dashboards from rows that stand in the page. Filters act on every widget whose dataset has the
// filtered column; aggregates are computed here, after filtering, as Databricks computes them.
(function () {
  const content = JSON.parse(document.getElementById("content").textContent);
  const root = document.documentElement;
  const board = document.getElementById("board");
  const state = { dashboard: 0, page: 0, filters: {} };
  const PALETTE = ["#1f6feb", "#e8833a", "#2da44e", "#c9484f", "#8957e5", "#1b9aaa", "#b08800", "#d64f9b"];
  const PALETTE_DARK = ["#6cb0ff", "#f0a868", "#57c878", "#f07b80", "#b794f6", "#4fc3d0", "#dcb53c", "#f08bc4"];

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

  function rowsOf(dashboard, name) {
    const dataset = dashboard.datasets[name];
    const active = Object.entries(state.filters).filter(([column]) => dataset.columns.includes(column));
    const at = Object.fromEntries(dataset.columns.map((column, index) => [column, index]));
    return dataset.rows
      .filter((row) => active.every(([column, test]) => test(row[at[column]])))
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
    const rows = rowsOf(dashboard, widget.dataset);
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

  const tickFormat = (format) => {
    if (!format) return undefined;
    if (format.type === "number-percent") return ".1~%";
    if (format.type === "number-currency") return "$,.3~s";
    return undefined;
  };

  // Charts.

  function colourOf(mappings, value, index) {
    const found = (mappings || []).find((m) => m.value === value);
    const palette = isDark() ? PALETTE_DARK : PALETTE;
    return found ? found.color : palette[index % palette.length];
  }

  function series(widget, rows) {
    const { x, y, color } = widget.encodings;
    const horizontal = x.scale && x.scale.type === "quantitative" && !(y.scale && y.scale.type === "quantitative");
    const ascending = (a, b) => (a[x.fieldName] < b[x.fieldName] ? -1 : a[x.fieldName] > b[x.fieldName] ? 1 : 0);
    const descending = (a, b) => (b[x.fieldName] ?? 0) - (a[x.fieldName] ?? 0);
    const sorted = x.scale && x.scale.sort ? rows : [...rows].sort(horizontal ? descending : ascending);
    const list = [];
    const add = (name, part, field, index, mappings) => {
      const fill = colourOf(mappings, name, index);
      const points = { x: part.map((r) => r[horizontal ? field : x.fieldName]), y: part.map((r) => r[horizontal ? y.fieldName : field]) };
      const trace = { ...points, name: name === null ? "none" : String(name) };
      if (widget.kind === "bar") Object.assign(trace, { type: "bar", orientation: horizontal ? "h" : "v", marker: { color: fill } });
      if (widget.kind === "scatter") Object.assign(trace, { type: "scatter", mode: "markers", marker: { color: fill, size: 8 } });
      if (widget.kind === "line") Object.assign(trace, { type: "scatter", mode: points.x.length < 3 ? "lines+markers" : "lines", line: { color: fill, width: 2 } });
      if (widget.kind === "area") Object.assign(trace, { type: "scatter", mode: "lines", stackgroup: "one", line: { color: fill, width: 1 } });
      list.push(trace);
    };
    if (color && color.fieldName) {
      const mappings = (color.scale && color.scale.mappings) || [];
      const order = mappings.map((m) => m.value);
      const names = [...new Set(sorted.map((r) => r[color.fieldName]))];
      names.sort((a, b) => order.indexOf(a) - order.indexOf(b));
      names.forEach((name, index) =>
        add(name, sorted.filter((r) => r[color.fieldName] === name), horizontal ? x.fieldName : y.fieldName, index, mappings));
    } else if (y.fields) {
      y.fields.forEach((field, index) => add(field.displayName || field.fieldName, sorted, field.fieldName, index));
    } else {
      add((horizontal ? x : y).displayName || "", sorted, (horizontal ? x : y).fieldName, 0);
    }
    return { list, horizontal };
  }

  function layout(widget, extra) {
    const axis = { gridcolor: css("--line"), zerolinecolor: css("--line"), automargin: true, title: { standoff: 8, font: { size: 11 } } };
    const { x, y } = widget.encodings;
    const title = (encoding) => (encoding && encoding.displayName ? { ...axis.title, text: encoding.displayName } : axis.title);
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: 12, color: css("--ink") },
      margin: { l: 48, r: 12, t: 8, b: 36 }, hovermode: "closest", bargap: 0.15,
      legend: { orientation: "h", y: 1.12, x: 0, font: { size: 11 } },
      xaxis: { ...axis, title: title(x), nticks: 10, type: x && x.scale && x.scale.type === "categorical" ? "category" : undefined },
      yaxis: { ...axis, title: title(y), tickformat: tickFormat(y && (y.format || (y.fields && y.fields[0].format))) },
      ...extra,
    };
  }

  function drawChart(target, widget, rows) {
    const e = widget.encodings;
    let traces, extra = {};
    if (widget.kind === "heatmap") {
      const xs = [...new Set(rows.map((r) => r[e.x.fieldName]))].sort((a, b) => (a < b ? -1 : 1));
      const ys = [...new Set(rows.map((r) => r[e.y.fieldName]))].sort((a, b) => (a < b ? -1 : 1));
      const at = new Map(rows.map((r) => [JSON.stringify([r[e.x.fieldName], r[e.y.fieldName]]), r[e.color.fieldName]]));
      const z = ys.map((yv) => xs.map((xv) => at.get(JSON.stringify([xv, yv])) ?? null));
      const percent = e.color.format && e.color.format.type === "number-percent";
      traces = [{
        type: "heatmap", x: xs, y: ys, z, xgap: 1, ygap: 1, hoverongaps: false,
        colorscale: isDark() ? [[0, "#16202c"], [1, "#6cb0ff"]] : [[0, "#eef4ff"], [1, "#1554b5"]],
        colorbar: { thickness: 10, tickformat: percent ? ".0%" : undefined },
        hovertemplate: `%{y}, %{x}: %{z${percent ? ":.1%" : ""}}<extra></extra>`,
      }];
      const categorical = { type: "category" };
      const base = layout(widget, {});
      extra = { xaxis: { ...base.xaxis, ...categorical }, yaxis: { ...base.yaxis, ...categorical, autorange: "reversed" } };
    } else if (widget.kind === "pie") {
      traces = [{
        type: "pie", hole: 0.5, labels: rows.map((r) => r[e.color.fieldName]), values: rows.map((r) => r[e.angle.fieldName]),
        marker: { colors: rows.map((r, i) => colourOf(e.color.scale && e.color.scale.mappings, r[e.color.fieldName], i)) },
      }];
    } else {
      const { list, horizontal } = series(widget, rows);
      traces = list;
      extra = { showlegend: list.length > 1 };
      if (widget.kind === "bar" && (!widget.mark || widget.mark.layout !== "group")) extra.barmode = "stack";
      if (horizontal) {
        const base = layout(widget, {});
        extra.xaxis = { ...base.xaxis, tickformat: tickFormat(e.x.format), type: undefined };
        extra.yaxis = { ...base.yaxis, type: "category", autorange: "reversed", tickformat: undefined };
        extra.hovermode = "closest";
      }
    }
    return Plotly.react(target, traces, layout(widget, extra), { displayModeBar: false, responsive: true });
  }

  // Widgets.

  function drawCounter(box, widget, rows) {
    const value = widget.encodings.value;
    const row = rows[value.rowNumber ? value.rowNumber - 1 : 0];
    const text = shown(row ? row[value.fieldName] : null, value.format);
    box.append(element("div", { class: text.length > 8 ? "figure long" : "figure", text, title: text }));
  }

  function drawTable(box, widget, rows) {
    const columns = widget.encodings.columns;
    const numeric = (c) => rows.some((r) => typeof r[c.fieldName] === "number");
    const head = element("tr", {}, ...columns.map((c) => element("th", { text: c.displayName || c.fieldName, class: numeric(c) ? "number" : "" })));
    const body = rows.map((row) => element("tr", {}, ...columns.map((c) =>
      element("td", { text: shown(row[c.fieldName], c.format), class: numeric(c) ? "number" : "" }))));
    box.append(element("div", { class: "table" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...body))));
  }

  function drawText(box, widget) {
    for (const line of widget.text.split("\n").filter((part) => part.trim())) {
      const heading = line.match(/^(#{1,2}) (.*)$/);
      box.append(heading ? element(`h${heading[1].length}`, { text: heading[2] }) : element("p", { text: line }));
    }
  }

  function drawDateFilter(box, dashboard, widget) {
    const column = Object.values(widget.filters)[0];
    const days = Object.entries(widget.filters).flatMap(([dataset, name]) => {
      const at = dashboard.datasets[dataset].columns.indexOf(name);
      return dashboard.datasets[dataset].rows.map((row) => row[at]).filter((day) => day !== null).map((day) => day.slice(0, 10));
    });
    const low = days.reduce((a, b) => (b < a ? b : a), days[0] || "");
    const high = days.reduce((a, b) => (b > a ? b : a), days[0] || "");
    const from = element("input", { type: "date", min: low, max: high, value: low, "aria-label": "from" });
    const to = element("input", { type: "date", min: low, max: high, value: high, "aria-label": "to" });
    const change = () => {
      const [a, b] = [from.value || low, to.value || high];
      for (const name of new Set(Object.values(widget.filters))) {
        state.filters[name] = (value) => value !== null && value.slice(0, 10) >= a && value.slice(0, 10) <= b;
      }
      refresh();
    };
    from.addEventListener("change", change);
    to.addEventListener("change", change);
    const all = element("button", { type: "button", text: "All" });
    all.addEventListener("click", () => { from.value = low; to.value = high; change(); });
    box.append(element("div", { class: "filter", "data-column": column }, from, element("span", { text: "to" }), to, all));
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
      if (select.value) state.filters[column] = (value) => String(value) === select.value; else delete state.filters[column];
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
      return box.append(element("div", { class: "empty", text: "No rows in this period" }));
    }
    if (widget.kind === "table") return drawTable(box, widget, rows);
    if (!chart) { chart = element("div", { class: "chart" }); box.append(chart); }
    return drawChart(chart, widget, rows);
  }

  function refresh() {
    const dashboard = content.dashboards[state.dashboard];
    const data = boxes.filter(([, widget]) => widget.dataset);
    return Promise.all(data.map(([box, widget]) => fill(box, dashboard, widget))).then(() => {
      // What a test reads: how many charts there should be, and how many stand in the page.
      document.body.dataset.charts = data.filter(([, w]) => !["counter", "table"].includes(w.kind)).length;
      document.body.dataset.drawn = document.querySelectorAll(".chart .main-svg:first-child").length;
      document.body.dataset.empty = document.querySelectorAll(".empty").length;
    });
  }

  function open() {
    const dashboard = content.dashboards[state.dashboard];
    const page = dashboard.pages[state.page];
    state.filters = {};
    boxes.forEach(([box]) => box.querySelectorAll(".chart").forEach((chart) => Plotly.purge(chart)));
    board.replaceChildren();
    boxes = page.widgets.map((widget) => {
      const p = widget.position;
      const box = element("section", { "data-kind": widget.kind, "data-widget": widget.name,
        class: (widget.kind === "text" ? "text" : "") + (p.height > 3 ? " tall" : "") });
      box.style.gridColumn = `${p.x + 1} / span ${p.width}`;
      box.style.gridRow = `${p.y + 1} / span ${p.height}`;
      if (widget.title) box.append(element("h3", { text: widget.title }));
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
    window.addEventListener("hashchange", follow);
    return follow();
  }

  start().then(() => { document.body.dataset.ready = "true"; });
})();
