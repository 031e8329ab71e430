// One plotly chart for each chart widget.

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
  const make = (name, part, fieldName, colour) => {
    const along = part.map((r) => r[dimension.fieldName]);
    const values = part.map((r) => r[fieldName]);
    const texts = values.map((value) => shown(value, shownAs));
    const trace = {
      name, x: horizontal ? values : along, y: horizontal ? along : values, customdata: texts,
      hovertemplate: `%{${horizontal ? "y" : "x"}}: %{customdata}<extra>${name.replace(/</g, "&lt;")}</extra>`,
    };
    if (widget.kind === "bar") {
      Object.assign(trace, { type: "bar", orientation: horizontal ? "h" : "v", marker: { color: colour } });
      // One or two bars must not become walls.
      if (categories) trace.width = Math.min(0.82, 0.12 + 0.14 * categories.length);
      if (label && label.show) Object.assign(trace, { text: texts, textposition: "outside", cliponaxis: false });
    }
    if (widget.kind === "scatter") Object.assign(trace, { type: "scatter", mode: "markers", marker: { color: colour, size: 8 } });
    if (widget.kind === "line") {
      Object.assign(trace, { type: "scatter", mode: part.length <= 40 ? "lines+markers" : "lines", line: { color: colour, width: 2 }, marker: { size: 5 } });
    }
    if (widget.kind === "area") Object.assign(trace, { type: "scatter", mode: "lines", stackgroup: "one", line: { color: colour, width: 1 } });
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
    // Unseen ticks keep the first label off the nought of the other axis.
    xaxis: { ...axis, ticks: "outside", ticklen: 6, tickcolor: "rgba(0,0,0,0)" }, yaxis: { ...axis },
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
  // Figures in the cells where they fit; noughts are quiet, so that what failed stands out.
  const figures = target.clientWidth / (xs.length + 2) > 38 && (target.clientHeight - 60) / ys.length > 16;
  const inCells = z.map((line, row) => line.map((value, column) => (value ? text[row][column] : "")));
  const letters = Math.max(12, Math.floor(target.clientWidth / 16));
  return {
    traces: [{
      type: "heatmap", x: xs, y: ys, z, text: inCells, customdata: text, xgap: 1, ygap: 1, hoverongaps: false, zmin: 0,
      // On a phone the cells need the scale's room.
      showscale: target.clientWidth > 420,
      colorscale: isDark() ? [[0, "#1a2530"], [1, "#3d84da"]] : [[0, "#eef4fd"], [1, "#2465be"]],
      colorbar: { thickness: 8, outlinewidth: 0, tickformat: percent ? ".2~%" : undefined, tickfont: { size: 10 },
        title: { text: titleOf(color), side: "right", font: { size: 11, color: css("--quiet") } } },
      ...(figures ? { texttemplate: "%{text}", textfont: { size: 10 } } : {}),
      hovertemplate: "%{y}, %{x}: %{customdata}<extra></extra>",
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
  // Two updates are two, not a ladder of halves.
  const highest = Math.max(0, ...rows.map((r) => total(r[dimension.fieldName])));
  if (!measure.fields && highest <= 5 && rows.every((r) => Number.isInteger(r[first]))) across.dtick = 1;
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

// A bar, and a row of a heat map, needs a line of text; where the box is too low for all of them it scrolls.
function makeRoom(target, widget, rows) {
  const { x, y } = widget.encodings;
  const lined = widget.kind === "heatmap" || (widget.kind === "bar" && x.scale.type === "quantitative" && y.scale.type === "categorical");
  const lines = lined ? new Set(rows.map((r) => r[y.fieldName])).size : 0;
  target.style.minHeight = lines > 8 ? `${lines * 17 + (widget.kind === "heatmap" ? 60 : 16)}px` : "";
}

function drawChart(target, widget, rows) {
  if (widget.kind === "bar" || widget.kind === "heatmap") makeRoom(target, widget, rows);
  const { traces, extra } = widget.kind === "heatmap" ? heatmap(target, widget, rows)
    : widget.kind === "pie" ? pie(widget, rows) : cartesian(target, widget, rows);
  return Plotly.react(target, traces, extra, { displayModeBar: false, responsive: true });
}
