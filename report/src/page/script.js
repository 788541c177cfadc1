"use strict";
(() => {
  const root = document.documentElement;
  const remembered = {
    get() { try { return localStorage.getItem("theme"); } catch { return null; } },
    set(theme) { try { localStorage.setItem("theme", theme); } catch { /* a page that may not remember still changes */ } },
  };
  const NEXT = { system: "dark", dark: "light", light: "system" };
  const SAID = { system: "system", dark: "dark", light: "light" };
  const theme = () => root.dataset.theme || "system";
  const wear = (name) => {
    if (name in SAID && name !== "system") root.dataset.theme = name;
    else delete root.dataset.theme;
  };
  wear(remembered.get());

  // The columns of a path as it was drawn: "M x y" begins a line, "l dx dy" goes on, "v dy" spans a column's extremes.
  const columns = (path) => {
    const values = new Map();
    const d = path.getAttribute("d");
    const top = Number(path.dataset.top);
    const value = (y) => (1 - y / 200) * top;
    let x = 0, y = 0;
    for (const [, command, numbers] of d.matchAll(/([Mlvh])([^Mlvh]*)/g)) {
      const [a, b] = (numbers.match(/-?\d+/g) || []).map(Number);
      if (command === "M") [x, y] = [a, b];
      if (command === "l") [x, y] = [x + a, y + b];
      if (command === "v") {
        values.set(x, [values.get(x)[0], value(y + a)]);
        y += a;
      } else if (command !== "h") {
        values.set(x, [value(y), value(y)]);
      }
    }
    return values;
  };

  const number = (x) => x.toFixed(x === 0 ? 0 : x < 0.95 ? 2 : x < 9.95 ? 1 : 0);
  const elapsed = (t) => {
    const two = (n) => String(Math.floor(n)).padStart(2, "0");
    const days = Math.floor(t / 86400);
    return (days ? days + " d " : "") + two((t % 86400) / 3600) + ":" + two((t % 3600) / 60) + ":" + two(t % 60);
  };
  const moment = (view, t) => {
    if (!view.dataset.zone) return elapsed(t) + " from the start";
    // Sweden writes times as ISO 8601 does, and as the page does.
    const format = new Intl.DateTimeFormat("sv-SE", { timeZone: view.dataset.zone, dateStyle: "short", timeStyle: "medium" });
    return format.format(new Date(t * 1000)) + " " + view.dataset.zone;
  };

  const watch = (view) => {
    const count = Number(view.dataset.columns);
    const readout = view.querySelector("output");
    const idle = readout.textContent;
    const cursor = document.createElement("div");
    cursor.className = "cursor";
    view.append(cursor);
    let rows = null;
    let at = null;
    const show = (column) => {
      rows ||= [...view.querySelectorAll(".row:has(.data)")].map((row) => {
        const small = row.querySelector(".name small");
        return { values: columns(row.querySelector(".data")), small, idle: small && small.textContent };
      });
      at = column;
      if (at === null) {
        readout.textContent = idle;
        cursor.style.visibility = "hidden";
        for (const row of rows) if (row.small) row.small.textContent = row.idle;
        return;
      }
      const plot = view.querySelector(".plot").getBoundingClientRect();
      const left = plot.left - view.getBoundingClientRect().left + ((at + 0.5) / count) * plot.width;
      cursor.style.left = left + "px";
      cursor.style.visibility = "visible";
      const said = rows.map((row) => row.values.get(at));
      rows.forEach((row, i) => {
        if (!row.small) return;
        const value = said[i];
        const range = value && [Math.min(...value), Math.max(...value)].map(number);
        const text = value ? (range[0] === range[1] ? range[0] : range.join("\u2013")) + view.dataset.unit : "no sample";
        row.small.textContent = "= " + text;
      });
      const t = Number(view.dataset.from) + at * Number(view.dataset.step);
      const [alike, score] = said.slice(0, 2).map((value) => value && Math.max(...value));
      const votes = alike === undefined ? "nothing judged" :
        Math.round(alike * 100) + " % of the VMs alike, score " + score.toFixed(2);
      readout.textContent = moment(view, t) + ": " + votes;
    };
    view.addEventListener("pointermove", (event) => {
      const plot = view.querySelector(".plot").getBoundingClientRect();
      const column = Math.floor(((event.clientX - plot.left) / plot.width) * count);
      show(column < 0 || column >= count ? null : column);
    });
    view.addEventListener("pointerleave", () => { if (view !== document.activeElement) show(null); });
    view.addEventListener("keydown", (event) => {
      const stride = event.shiftKey ? Math.max(1, Math.round(count / 20)) : 1;
      const from = at === null ? Math.floor(count / 2) : at;
      const to = { ArrowLeft: from - stride, ArrowRight: from + stride, Home: 0, End: count - 1 }[event.key];
      if (event.key === "Escape") show(null);
      else if (to !== undefined) {
        event.preventDefault();
        show(Math.min(count - 1, Math.max(0, to)));
      }
    });
    view.addEventListener("blur", () => show(null));
  };

  const unfold = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (!target || !target.matches("details.host")) return;
    target.open = true;
    target.scrollIntoView();
    target.querySelector("summary").focus({ preventScroll: true });
  };

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector(".theme");
    const label = () => { button.textContent = "Theme: " + SAID[theme()]; };
    button.addEventListener("click", () => {
      wear(NEXT[theme()]);
      remembered.set(theme());
      label();
    });
    label();
    root.dataset.ready = "";
    for (const view of document.querySelectorAll(".view")) watch(view);
    window.addEventListener("hashchange", unfold);
    // A second click on the same tile changes no address.
    for (const tile of document.querySelectorAll(".tile")) tile.addEventListener("click", () => setTimeout(unfold));
    unfold();
  });
})();
