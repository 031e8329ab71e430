// What a reader does with one box: see its rows as a table, take them away as CSV, and pick one value of it for all boxes over
// the same dataset, as a click on a chart does in Databricks.

const TOOLED = ["bar", "line", "area", "heatmap", "pie", "scatter", "table"];

// The columns of a chart as a table has them: its fields in order, named and written as on its axes.
function columnsOf(widget) {
  if (widget.kind === "table") return widget.encodings.columns;
  const channels = Object.values(widget.encodings).filter((part) => part && (part.fieldName || part.fields))
    .flatMap((part) => (part.fields || [part]).map((f) => ({ format: part.format, ...f })));
  return Object.values(widget.fields).map((field) => {
    const channel = channels.find((c) => c.fieldName === field.name) || {};
    return { fieldName: field.name, format: channel.format,
      displayName: channel.displayName || (field.aggregate ? field.name : field.column).replaceAll("_", " ") };
  });
}

function csvOf(widget, rows) {
  const columns = columnsOf(widget);
  // A spreadsheet would run a text that begins like a formula, and names of items come from outside.
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [columns.map((c) => c.displayName || c.fieldName), ...rows.map((row) => columns.map((c) => row[c.fieldName]))];
  return lines.map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = element("a", { href: address, download: `${name}.csv` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function tools(box, dashboard, widget) {
  const bar = element("div", { class: "tools" });
  if (widget.kind !== "table") {
    const table = element("button", { type: "button", text: "Table", "aria-pressed": "false", "aria-label": `${widget.title}: as a table` });
    table.addEventListener("click", () => {
      const on = box.dataset.view !== "table";
      box.dataset.view = on ? "table" : "";
      table.setAttribute("aria-pressed", String(on));
      refresh();
    });
    bar.append(table);
  }
  const csv = element("button", { type: "button", text: "CSV", "aria-label": `${widget.title}: save as CSV` });
  csv.addEventListener("click", () => download(widget.name, csvOf(widget, compute(dashboard, widget))));
  bar.append(csv);
  return bar;
}

// The field whose values can be picked: the one categorical axis of a chart.
function pickable(widget) {
  const { x, y } = widget.encodings;
  if (widget.kind !== "bar" || !x || !y) return null;
  const axis = [y, x].find((channel) => channel.fieldName && channel.scale.type === "categorical");
  const field = axis && widget.fields[axis.fieldName];
  return field && !field.aggregate ? field : null;
}

function pick(widget, value) {
  const field = pickable(widget);
  const same = state.picked && state.picked.widget === widget.name && state.picked.value === value;
  state.picked = same ? null : { widget: widget.name, value };
  if (same) delete state.filters.picked;
  else state.filters.picked = { columns: { [widget.dataset]: field.column }, keeps: (found) => String(found) === value, by: widget.name };
  showPicked();
  return refresh();
}

function showPicked() {
  const chip = document.getElementById("picked");
  chip.hidden = !state.picked;
  chip.textContent = state.picked ? `Only ${state.picked.value} ×` : "";
}
