"use strict";
// Draws the widgets of AI/BI dashboards from rows that stand in the page. Filters act on every widget whose dataset has the
// filtered column; aggregates are computed here, after filtering, as Databricks computes them.
(function () {
  const content = JSON.parse(document.getElementById("content").textContent);
  const root = document.documentElement;
  const board = document.getElementById("board");
  const state = { dashboard: 0, page: 0, filters: {} };
  const PALETTE = ["#2f7de1", "#d98324", "#2da44e", "#d1434b", "#8957e5", "#1b9aaa", "#b08800", "#d64f9b"];
  const PALETTE_DARK = ["#5aa2f5", "#f0a868", "#57c878", "#f07b80", "#b794f6", "#4fc3d0", "#dcb53c", "#f08bc4"];
  const GOOD = ["succeeded", "fresh"];
  const BAD = ["failed", "stale", "never loaded", "worse", "newly failing", "interrupted"];

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
    const at = Object.fromEntries(dataset.columns.map((column, index) => [column, index]));
    const active = Object.values(state.filters).filter((filter) => name in filter.columns);
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

  // The values of a categorical axis in the order that its scale asks for; measure gives the total of a value.
  function ordered(values, scale, measure) {
    const distinct = [...new Set(values)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const sort = (scale && scale.sort) || { by: "natural-order" };
    if (sort.by === "custom-order") {
      const place = (value) => (sort.orderedValues.includes(value) ? sort.orderedValues.indexOf(value) : Infinity);
      return distinct.sort((a, b) => place(a) - place(b) || 0);
    }
    if (sort.by === "x" || sort.by === "y") return distinct.sort((a, b) => measure(a) - measure(b));
    if (sort.by === "x-reversed" || sort.by === "y-reversed") return distinct.sort((a, b) => measure(b) - measure(a));
    return distinct;
  }

  const MOMENT = /^\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?$/;

  // Ticks of a categorical axis that can be read: moments in two short lines and not all of them, long names cut.
  function ticks(values, room, letters) {
    if (!values.length) return {};
    if (values.every((value) => MOMENT.test(value))) {
      const every = Math.ceil(values.length / Math.max(2, Math.floor(room / 75)));
      const chosen = values.filter((_, index) => index % every === 0);
      const month = (value) => new Date(`${value.slice(0, 10)}T00:00:00Z`)
        .toLocaleDateString("en", { month: "short", day: "numeric", timeZone: "UTC" });
      return { tickmode: "array", tickvals: chosen, ticktext: chosen.map((value) => `${month(value)}<br>${value.slice(11, 16)}`) };
    }
    const short = (value) => (String(value).length > letters ? `${String(value).slice(0, letters - 1)}…` : String(value));
    const every = values.length * 22 > room && letters === Infinity ? Math.ceil((values.length * 22) / room) : 1;
    const chosen = values.filter((_, index) => index % every === 0);
    return { tickmode: "array", tickvals: chosen, ticktext: chosen.map(short) };
  }

  const DAY = 86400000;

  // A time axis over a handful of days: plotly would tick it in hours and stretch one bar over the whole width.
  function fewDays(values) {
    const days = [...new Set(values)].sort();
    if (days.length > 6 || !days.every((day) => /^\d{4}-\d\d-\d\d$/.test(day))) return {};
    const [first, last] = [Date.parse(days[0]), Date.parse(days[days.length - 1])];
    if (last - first > 30 * DAY) return {};
    return { tickmode: "array", tickvals: days, tickformat: "%b %-d<br>%Y", range: [first - 3 * DAY, last + 3 * DAY] };
  }

  function series(widget, rows, dimension, measure, horizontal, categories) {
    const { color, label } = widget.encodings;
    const position = new Map((categories || []).map((value, index) => [value, index]));
    const by = (a, b) => {
      const [p, q] = [a[dimension.fieldName], b[dimension.fieldName]];
      return categories ? position.get(p) - position.get(q) : p < q ? -1 : p > q ? 1 : 0;
    };
    const sorted = [...rows].sort(by);
    const shownAs = measure.format;
    const make = (name, part, fieldName, fill) => {
      const along = part.map((r) => r[dimension.fieldName]);
      const values = part.map((r) => r[fieldName]);
      const texts = values.map((value) => shown(value, shownAs));
      const trace = {
        name, x: horizontal ? values : along, y: horizontal ? along : values, customdata: texts,
        hovertemplate: `%{${horizontal ? "y" : "x"}}: %{customdata}<extra>${name.replace(/</g, "&lt;")}</extra>`,
      };
      if (widget.kind === "bar") {
        Object.assign(trace, { type: "bar", orientation: horizontal ? "h" : "v", marker: { color: fill } });
          // One or two bars must not become walls.
        if (categories) trace.width = Math.min(0.82, 0.12 + 0.14 * categories.length);
        if (label && label.show) Object.assign(trace, { text: texts, textposition: "outside", cliponaxis: false });
      }
      if (widget.kind === "scatter") Object.assign(trace, { type: "scatter", mode: "markers", marker: { color: fill, size: 8 } });
      if (widget.kind === "line") {
        Object.assign(trace, { type: "scatter", mode: part.length <= 40 ? "lines+markers" : "lines", line: { color: fill, width: 2 }, marker: { size: 5 } });
      }
      if (widget.kind === "area") Object.assign(trace, { type: "scatter", mode: "lines", stackgroup: "one", line: { color: fill, width: 1 } });
      return trace;
    };
    const own = (widget.mark && widget.mark.colors) || [];
    if (color && color.fieldName) {
      const mappings = color.scale.mappings;
      const order = mappings.map((m) => m.value);
      const names = [...new Set(sorted.map((r) => r[color.fieldName]))].sort((a, b) => order.indexOf(a) - order.indexOf(b));
      return names.map((name, index) =>
        make(name === null ? "none" : String(name), sorted.filter((r) => r[color.fieldName] === name), measure.fieldName, colourOf(mappings, name, index)));
    }
    const fields = measure.fields || [measure];
    return fields.map((f, index) => make(f.displayName || f.fieldName, sorted, f.fieldName, own[index] || colourOf([], null, index)));
  }

  const titleOf = (channel) => (channel && channel.displayName && !(channel.axis && channel.axis.hideTitle) ? channel.displayName : "");

  function layout() {
    const axis = { gridcolor: css("--line"), zerolinecolor: css("--line"), automargin: true, tickfont: { size: 11 } };
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: 12, color: css("--ink") },
      margin: { l: 8, r: 14, t: 8, b: 8 }, hovermode: "closest", bargap: 0.18, showlegend: false,
      legend: { orientation: "h", traceorder: "normal", y: 1.02, yanchor: "bottom", x: 0, font: { size: 11 } },
      xaxis: { ...axis }, yaxis: { ...axis },
    };
  }

  const titled = (axis, text) => (text ? { ...axis, title: { text, standoff: 8, font: { size: 11, color: css("--quiet") } } } : axis);

  function heatmap(target, widget, rows) {
    const { x, y, color } = widget.encodings;
    const total = (channel) => (value) =>
      rows.filter((r) => r[channel.fieldName] === value).reduce((sum, r) => sum + (r[color.fieldName] ?? 0), 0);
    const xs = ordered(rows.map((r) => r[x.fieldName]), x.scale, total(x));
    const ys = ordered(rows.map((r) => r[y.fieldName]), y.scale, total(y));
    const at = new Map(rows.map((r) => [JSON.stringify([r[x.fieldName], r[y.fieldName]]), r[color.fieldName]]));
    const z = ys.map((yv) => xs.map((xv) => at.get(JSON.stringify([xv, yv])) ?? null));
    const text = z.map((line) => line.map((value) => (value === null ? "" : shown(value, color.format))));
    const percent = color.format && color.format.type === "number-percent";
    const base = layout();
    // Figures in the cells where they fit.
    const figures = target.clientWidth / (xs.length + 2) > 38 && (target.clientHeight - 60) / ys.length > 16;
    const letters = Math.max(12, Math.floor(target.clientWidth / 16));
    return {
      traces: [{
        type: "heatmap", x: xs, y: ys, z, text, xgap: 1, ygap: 1, hoverongaps: false, zmin: 0,
        colorscale: isDark() ? [[0, "#1a2530"], [1, "#5aa2f5"]] : [[0, "#eef4fd"], [1, "#2465be"]],
        colorbar: { thickness: 8, outlinewidth: 0, tickformat: percent ? ".2~%" : undefined, tickfont: { size: 10 },
          title: { text: titleOf(color), side: "right", font: { size: 11, color: css("--quiet") } } },
        ...(figures ? { texttemplate: "%{text}", textfont: { size: 10 } } : {}),
        hovertemplate: "%{y}, %{x}: %{text}<extra></extra>",
      }],
      extra: {
        ...base,
        xaxis: titled({ ...base.xaxis, type: "category", showgrid: false, tickangle: 0, ...ticks(xs, target.clientWidth * 0.55, Infinity) }, titleOf(x)),
        yaxis: titled({ ...base.yaxis, type: "category", showgrid: false, autorange: "reversed", ...ticks(ys, 1e9, letters) }, titleOf(y)),
      },
    };
  }

  function pie(widget, rows) {
    const { angle, color } = widget.encodings;
    return {
      traces: [{
        type: "pie", hole: 0.5, labels: rows.map((r) => r[color.fieldName]), values: rows.map((r) => r[angle.fieldName]),
        marker: { colors: rows.map((r, i) => colourOf(color.scale.mappings, r[color.fieldName], i)) },
      }],
      extra: { ...layout(), showlegend: true },
    };
  }

  function cartesian(target, widget, rows) {
    const { x, y, label } = widget.encodings;
    const horizontal = x.scale.type === "quantitative" && y.scale.type !== "quantitative";
    const [dimension, measure] = horizontal ? [y, x] : [x, y];
    const categorical = dimension.scale.type === "categorical";
    const first = measure.fields ? measure.fields[0].fieldName : measure.fieldName;
    const total = (value) => rows.filter((r) => r[dimension.fieldName] === value).reduce((sum, r) => sum + (r[first] ?? 0), 0);
    const categories = categorical ? ordered(rows.map((r) => r[dimension.fieldName]), dimension.scale, total) : null;
    const traces = series(widget, rows, dimension, measure, horizontal, categories);
    const base = layout();
    const labelled = label && label.show;
    let along = { ...(horizontal ? base.yaxis : base.xaxis), showgrid: false };
    if (categorical) {
      const letters = horizontal ? Math.max(12, Math.floor(target.clientWidth / 13)) : Infinity;
      Object.assign(along, { type: "category", tickangle: 0, categoryorder: "array", categoryarray: categories, ...ticks(categories, horizontal ? 1e9 : target.clientWidth, letters) });
    } else {
      const few = fewDays(rows.map((r) => r[dimension.fieldName]));
      Object.assign(along, { nticks: Math.max(3, Math.floor(target.clientWidth / 65)) }, few);
      if (few.range && widget.kind === "bar") traces.forEach((trace) => { trace.width = 0.7 * DAY; });
    }
    if (horizontal) along.autorange = "reversed";
    const format = measure.format;
    let across = { ...(horizontal ? base.xaxis : base.yaxis), nticks: 6, rangemode: widget.kind === "bar" || widget.kind === "area" ? "tozero" : "normal" };
    if (format && format.type === "number-percent") {
      across.tickformat = ".2~%";
      const shares = rows.map((r) => r[first]).filter((value) => value !== null);
      // A share that hardly moves would be drawn between 0 and 150 %.
      if (widget.kind === "line" && Math.max(...shares) - Math.min(...shares) < 0.01) {
        across.range = [Math.max(0, Math.min(...shares) - 0.01), Math.max(...shares) + 0.002];
      }
    }
    if (format && format.type === "number-currency") Object.assign(across, { tickformat: "~s", tickprefix: "$" });
    if (labelled) {
      // The bars carry their values; room for the longest of them stays free at the end of the axis.
      const largest = Math.max(0, ...rows.map((r) => r[first] ?? 0));
      Object.assign(across, { showticklabels: false, showgrid: false, zeroline: false });
      if (largest > 0 && rows.every((r) => (r[first] ?? 0) >= 0)) across.range = [0, largest * (target.clientWidth < 420 ? 1.35 : 1.22)];
    } else {
      across = titled(across, titleOf(measure));
    }
    along = titled(along, titleOf(dimension));
    const legend = traces.length > 1;
    return {
      traces,
      extra: {
        ...base, showlegend: legend, margin: { ...base.margin, t: legend ? 30 : 8 },
        barmode: widget.mark && widget.mark.layout === "group" ? "group" : "stack",
        xaxis: horizontal ? across : along, yaxis: horizontal ? along : across,
      },
    };
  }

  // A bar needs a line of text; where the box is too low for all bars it scrolls.
  function makeRoom(target, widget, rows) {
    const { x, y } = widget.encodings;
    const horizontal = widget.kind === "bar" && x.scale.type === "quantitative" && y.scale.type === "categorical";
    const lines = horizontal ? new Set(rows.map((r) => r[y.fieldName])).size : 0;
    target.style.minHeight = lines > 8 ? `${lines * 17 + 16}px` : "";
  }

  function drawChart(target, widget, rows) {
    if (widget.kind === "bar") makeRoom(target, widget, rows);
    const { traces, extra } = widget.kind === "heatmap" ? heatmap(target, widget, rows)
      : widget.kind === "pie" ? pie(widget, rows) : cartesian(target, widget, rows);
    return Plotly.react(target, traces, extra, { displayModeBar: false, responsive: true });
  }

  // Widgets.

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
    const columns = widget.encodings.columns;
    const numeric = (c) => rows.some((r) => typeof r[c.fieldName] === "number");
    const head = element("tr", {}, ...columns.map((c) => element("th", { text: c.displayName || c.fieldName, class: numeric(c) ? "number" : "" })));
    const body = rows.map((row) => element("tr", {}, ...columns.map((c) =>
      element("td", { text: shown(row[c.fieldName], c.format), class: cellClass(row[c.fieldName], numeric(c)) }))));
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
    const change = () => {
      const [a, b] = [from.value || low, to.value || high];
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
    box.append(element("div", { class: "filter" }, from, element("span", { text: "to" }), to, element("span", { class: "spans" }, ...spans)));
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
    if (widget.kind === "table") return drawTable(box, widget, rows);
    if (!chart) { chart = element("div", { class: "chart", role: "img", "aria-label": widget.title }); box.append(chart); }
    return drawChart(chart, widget, rows);
  }

  function refresh() {
    const dashboard = content.dashboards[state.dashboard];
    const data = boxes.filter(([, widget]) => widget.dataset);
    return Promise.all(data.map(([box, widget]) => fill(box, dashboard, widget))).then(() => {
      // What a test reads: how many charts have something to show, how many stand in the page, how many boxes are empty.
      document.body.dataset.charts = data.filter(([box, w]) => !["counter", "table"].includes(w.kind) && !box.querySelector(".empty")).length;
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
