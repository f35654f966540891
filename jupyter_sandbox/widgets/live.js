// The live supervision tree: a canvas, a hidden DOM twin of it for keyboards and screen readers, and a panel
// about one process. It draws what the kernel tells it and sends back wishes; it never fetches anything, and
// every text from a sandbox is set as text, never as HTML. One file, because a widget's module travels alone.

const LOOKS = {
  running: { glyph: "●", word: "running", colour: "#2e9e5b" },
  waiting: { glyph: "◌", word: "waiting", colour: "#3b82d6" },
  suspended: { glyph: "‖", word: "suspended", colour: "#b7791f" },
  restarting: { glyph: "↻", word: "restarting", colour: "#c2571a" },
  stopped: { glyph: "○", word: "stopped", colour: "#808690" },
  exiting: { glyph: "✕", word: "exiting", colour: "#d64545" },
};
const UNKNOWN = { glyph: "?", word: "unknown", colour: "#808690" };
const CARD = { width: 216, height: 40 };
const COLUMN = 264;
const ROW = 52;
const MARGIN = 8;
const MAX_HEIGHT = 420;
const MAX_TWINS = 500;
const FLASH_MS = 900;
const HELD_MS = 3000;
const PATIENCE_MS = 2000;
const MOST_PATIENCE_MS = 60_000;
const GONE = "the kernel ended, and the sandbox with it";
const CUT_OFF = "no connection to the kernel: this is how it was";
const CLOSED = "no longer live: the notebook that it came through was closed, or got another kernel; load the page again";
const VERBS = [
  ["kill_process", "Kill"],
  ["suspend_process", "Suspend"],
  ["unsuspend_process", "Unsuspend"],
  ["restart_process", "Restart"],
];
const OPPOSITE = { suspend_process: "unsuspend_process", unsuspend_process: "suspend_process" };
const ENDS = new Set(["starting", "restarting", "autorestarting", "terminating", "dead"]);
// On the element of a notebook or console: the id of its kernel, written by Lab's panel (follow.ts).
const KERNEL = "data-jupyter-sandbox-kernel";
// On the element of a static picture: the view that is mounted over it, also when another copy of this file did it.
const MOUNTED = Symbol.for("jupyter-sandbox.mounted");

const STYLE = `
.jsb-mounted > :not(.jsb-live) { display: none !important; }
.jsb-live { position: relative; border: 1px solid var(--jp-border-color2, rgba(128,134,144,.5)); border-radius: 4px;
  color: var(--jp-ui-font-color1, CanvasText); background: var(--jp-layout-color1, Canvas);
  font: 13px var(--jp-ui-font-family, system-ui, sans-serif); }
.jsb-live header { display: flex; gap: 8px; align-items: baseline; padding: 6px 10px; }
.jsb-live header .jsb-state { margin-left: auto; opacity: .75; font-size: 12px; }
.jsb-live .jsb-scroll { overflow: auto; max-height: ${MAX_HEIGHT}px; position: relative; }
.jsb-live .jsb-scroll canvas { position: sticky; left: 0; top: 0; display: block; cursor: default; }
.jsb-live .jsb-twin { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; margin: 0; padding: 0; }
.jsb-live .jsb-panel { border-top: 1px solid var(--jp-border-color2, rgba(128,134,144,.5)); padding: 8px 10px; }
.jsb-live .jsb-panel[hidden], .jsb-live .jsb-panel [hidden] { display: none; }
.jsb-live .jsb-panel:focus { outline: none; }
.jsb-live .jsb-panel dl > div { display: contents; }
.jsb-live .jsb-panel h3 { margin: 0 0 6px; font-size: 14px; font-weight: 600; }
.jsb-live .jsb-panel dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; margin: 0 0 8px; }
.jsb-live .jsb-panel dt { opacity: .75; font-weight: 400; white-space: nowrap; }
.jsb-live .jsb-panel dd { margin: 0; font-family: var(--jp-code-font-family, monospace); font-size: 12px;
  overflow-wrap: anywhere; white-space: pre-wrap; }
.jsb-live .jsb-buttons { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
.jsb-live button { font: inherit; font-size: 12px; padding: 3px 10px; border-radius: 3px; cursor: pointer;
  color: inherit; background: var(--jp-layout-color2, rgba(128,134,144,.15));
  border: 1px solid var(--jp-border-color1, rgba(128,134,144,.6)); }
.jsb-live button:focus-visible { outline: 2px solid var(--jp-brand-color1, #3b82d6); outline-offset: 1px; }
.jsb-live .jsb-note { font-size: 12px; opacity: .85; }
.jsb-live .jsb-empty { margin: 0; padding: 0 10px 8px; opacity: .75; }
.jsb-live .jsb-empty[hidden] { display: none; }
`;

/** Tidy tree positions, the same algorithm as widgets/layout.py: Map of key to {across, depth}. */
export function tidy(processes) {
  const children = new Map();
  const roots = [];
  for (const { key, parent } of processes) {
    if (children.has(key)) continue;
    children.set(key, []);
    if (parent != null && parent !== key && children.has(parent)) children.get(parent).push(key);
    else roots.push(key);
  }
  const offsets = new Map();
  const branches = new Map();
  // Contours count from `by`, so that a deep branch moves as a whole: only the levels that two branches share are
  // touched, and each of them once.
  const grow = (keys) => {
    let placed = { left: [], right: [], by: 0 };
    const at = [];
    for (const key of keys) {
      const branch = branches.get(key);
      branches.delete(key);
      const shared = Math.min(placed.right.length, branch.left.length);
      let shift = 0;
      for (let level = 1; level <= shared; level++) {
        shift = Math.max(shift, placed.right.at(-level) + placed.by + 1 - branch.left.at(-level) - branch.by);
      }
      at.push(shift);
      const [taller, lower, side] =
        branch.left.length > placed.left.length ? [branch, placed, "left"] : [placed, branch, "right"];
      branch.by += shift;
      for (let level = 1; level <= shared; level++) {
        taller[side][taller[side].length - level] = lower[side].at(-level) + lower.by - taller.by;
      }
      placed = taller;
    }
    const middle = at.length ? (at[0] + at[at.length - 1]) / 2 : 0;
    keys.forEach((key, index) => offsets.set(key, at[index] - middle));
    placed.by -= middle;
    placed.left.push(-placed.by);
    placed.right.push(-placed.by);
    return placed;
  };
  for (const key of [...children.keys()].reverse()) branches.set(key, grow(children.get(key)));
  grow(roots);
  const positions = new Map();
  const stack = roots.map((key) => [key, 0, 0]).reverse();
  let lowest = Infinity;
  while (stack.length) {
    const [key, base, depth] = stack.pop();
    const across = base + offsets.get(key);
    lowest = Math.min(lowest, across);
    positions.set(key, { across, depth });
    for (const child of [...children.get(key)].reverse()) stack.push([child, across, depth + 1]);
  }
  for (const place of positions.values()) place.across -= lowest;
  return positions;
}

/** The tree after a diff; see widgets/patch.py. */
export function patch(tree, diff) {
  const removed = new Set(diff.removed);
  let byKey = new Map(tree.processes.filter((p) => !removed.has(p.key)).map((p) => [p.key, p]));
  for (const process of diff.changed) byKey.set(process.key, process);
  if (diff.order) {
    const ranked = new Map(diff.order.filter((key) => byKey.has(key)).map((key) => [key, byKey.get(key)]));
    for (const [key, process] of byKey) if (!ranked.has(key)) ranked.set(key, process);
    byKey = ranked;
  }
  return { ...tree, step: diff.step, now_ms: diff.now_ms, processes: [...byKey.values()] };
}

function shape(processes) {
  return processes.map((p) => `${p.key}\u0000${p.parent ?? ""}`).join("\u0001");
}

function details(process) {
  const parts = [process.behaviour.split(".").pop()];
  parts.push(process.strategy || process.state);
  return parts.filter(Boolean).join(" · ");
}

function budget(process) {
  if (process.budget == null || process.budget_left == null) return "";
  return `${process.budget_left} of ${process.budget} restarts left in ${process.period_s} s`;
}

function badges(process) {
  const parts = [];
  if (budget(process)) parts.push(`${process.budget_left} of ${process.budget} left`);
  if (process.queue) parts.push(`queue ${process.queue}`);
  if (process.restarts) parts.push(`↻ ${process.restarts}`);
  return parts.join(" · ");
}

function look(process) {
  return LOOKS[process.status] ?? UNKNOWN;
}

/** Why nothing comes and goes, if so. Other pages than Lab's do not tell. */
function cutOff(kernel) {
  if (kernel?.isDisposed) return CLOSED;
  return (kernel?.connectionStatus ?? "connected") === "connected" ? "" : CUT_OFF;
}

/** Whether there is something to do for a button: who is suspended may go on, and nobody else. */
function fits(button, process) {
  const held = process.status === "suspended";
  return button.dataset.verb !== (held ? "suspend_process" : "unsuspend_process");
}

/** Set a text, touching the page only when it differs: who has selected some of it loses that. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

class LiveTree {
  constructor(model, el, kernel) {
    this.model = model;
    this.kernel = kernel;
    this.tree = model.get("tree");
    this.selected = null;
    this.called = "it"; // by the words that are shown: a key is for asking, and may look like another one
    this.inspection = null;
    this.flashes = new Map();
    this.frame = 0;
    this.wait = 0;
    this.held = 0;
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.dark = window.matchMedia("(prefers-color-scheme: dark)");
    this.build(el);
    this.listen();
    this.place();
    this.twins();
    this.draw();
  }

  build(el) {
    this.root = make("div", "jsb-live");
    this.root.append(make("style", "", STYLE));
    const header = make("header");
    this.title = make("strong");
    this.step = make("span", "jsb-step");
    this.state = make("span", "jsb-state");
    header.append(this.title, this.step, this.state);
    this.scroll = make("div", "jsb-scroll");
    this.scroll.tabIndex = -1; // browsers let the keyboard stop at what scrolls; here the twin is that stop
    this.spacer = make("div");
    this.canvas = make("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.spacer.append(this.canvas);
    this.scroll.append(this.spacer);
    this.nobody = make("p", "jsb-empty", "no process runs");
    this.twin = make("ul", "jsb-twin");
    this.twin.setAttribute("role", "tree");
    this.said = make("div", "jsb-twin");
    this.said.setAttribute("aria-live", "polite");
    this.panel = make("section", "jsb-panel");
    this.panel.hidden = true;
    this.panel.tabIndex = -1; // takes the focus of a button that goes
    this.heading = make("h3");
    this.facts = make("dl");
    this.buttons = make("div", "jsb-buttons");
    this.buttons.append(...VERBS.map(([verb, label]) => this.button(verb, label)));
    this.note = make("span", "jsb-note");
    this.note.setAttribute("role", "status");
    this.buttons.append(this.note);
    this.panel.append(this.heading, this.facts, this.buttons);
    this.root.append(header, this.nobody, this.scroll, this.twin, this.said, this.panel);
    el.append(this.root);
    el.classList.add("jsb-mounted");
    this.host = el;
  }

  listen() {
    this.off = new AbortController();
    const signal = this.off.signal;
    this.onTree = () => this.update(this.model.get("tree"));
    this.onStatus = () => this.draw();
    this.onConnection = () => {
      this.note.textContent = "";
      this.draw();
    };
    this.onMessage = (message) => this.receive(message);
    this.model.on("change:tree", this.onTree);
    this.model.on("change:frozen", this.onStatus);
    this.model.on("change:status", this.onStatus);
    this.model.on("msg:custom", this.onMessage);
    this.kernel?.connectionStatusChanged?.connect(this.onConnection);
    this.canvas.addEventListener("click", (event) => this.click(event), { signal });
    this.scroll.addEventListener("scroll", () => this.draw(), { signal, passive: true });
    this.twin.addEventListener("keydown", (event) => this.key(event), { signal });
    this.twin.addEventListener("focusin", (event) => this.focused(event), { signal });
    this.twin.addEventListener("focusout", () => this.draw(), { signal });
    this.panel.addEventListener("keydown", (event) => event.key === "Escape" && this.close(), { signal });
    this.panel.addEventListener("pointerdown", (event) => event.button === 0 && this.hold(HELD_MS), { signal });
    // The click comes right after the button is up, and before what is put off for no time at all.
    for (const end of ["pointerup", "pointercancel"]) {
      window.addEventListener(end, () => this.held && this.hold(0), { signal });
    }
    this.dark.addEventListener("change", () => this.draw(), { signal });
    this.themes = new MutationObserver(() => this.draw());
    this.themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.scroll);
  }

  dispose() {
    if (this.off.signal.aborted) return;
    this.off.abort();
    this.themes.disconnect();
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.wait);
    clearTimeout(this.held);
    this.model.off("change:tree", this.onTree);
    this.model.off("change:frozen", this.onStatus);
    this.model.off("change:status", this.onStatus);
    this.model.off("msg:custom", this.onMessage);
    this.kernel?.connectionStatusChanged?.disconnect(this.onConnection);
    this.root.remove();
    this.host.classList.remove("jsb-mounted");
  }

  update(tree) {
    const before = new Map(this.tree.processes.map((p) => [p.key, p]));
    const moved = shape(this.tree.processes) !== shape(tree.processes);
    this.tree = tree;
    for (const process of tree.processes) this.compare(before.get(process.key), process);
    if (moved) this.place();
    this.twins();
    if (this.selected !== null) this.show();
    this.draw();
  }

  compare(was, is) {
    if (was && was.pid === is.pid && was.restarts === is.restarts) return;
    if (was && is.restarts > was.restarts) this.said.textContent = `${is.name} was restarted`;
    else if (was && was.pid && !is.pid) this.said.textContent = `${is.name} stopped`;
    else if (was && was.pid === is.pid) return;
    if (!this.calm.matches) this.flashes.set(is.key, performance.now());
  }

  place() {
    this.places = tidy(this.tree.processes);
    let across = 0;
    let depth = 0;
    for (const place of this.places.values()) {
      across = Math.max(across, place.across);
      depth = Math.max(depth, place.depth);
    }
    this.width = depth * COLUMN + CARD.width + 2 * MARGIN;
    this.height = across * ROW + CARD.height + 2 * MARGIN;
    this.spacer.style.width = `${this.width}px`;
    this.spacer.style.height = `${this.height}px`;
    this.nobody.hidden = this.places.size > 0;
    this.scroll.hidden = this.places.size === 0;
  }

  /** Once, when it can be seen first: a tall tree is shown around its root, not at its first leaf. */
  centre() {
    const root = this.tree.processes.length ? this.box(this.tree.processes[0].key) : undefined;
    if (!root || this.centred) return;
    this.centred = true;
    this.scroll.scrollTop = root.y + CARD.height / 2 - Math.min(this.height, MAX_HEIGHT) / 2;
  }

  box(key) {
    const place = this.places.get(key);
    return place && { x: MARGIN + place.depth * COLUMN, y: MARGIN + place.across * ROW };
  }

  draw() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = 0;
    const light = document.body.dataset.jpThemeLight;
    this.root.style.colorScheme = light === undefined ? "light dark" : light === "true" ? "light" : "dark";
    this.title.textContent = this.tree.sandbox;
    this.step.textContent = `step ${this.tree.step}`;
    this.state.textContent =
      this.model.get("frozen") || cutOff(this.kernel) || this.model.get("status") || "● live";
    const ratio = window.devicePixelRatio || 1;
    const width = this.scroll.clientWidth;
    const height = Math.min(this.height, MAX_HEIGHT);
    if (!width) return;
    this.centre();
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.translate(-this.scroll.scrollLeft, -this.scroll.scrollTop);
    const style = getComputedStyle(this.root);
    this.ink = style.color;
    this.font = style.fontFamily;
    const top = this.scroll.scrollTop - CARD.height;
    const bottom = this.scroll.scrollTop + height;
    const left = this.scroll.scrollLeft - CARD.width;
    const right = this.scroll.scrollLeft + width;
    for (const process of this.tree.processes) this.edge(pen, process, { left, right, top, bottom });
    for (const process of this.tree.processes) {
      const box = this.box(process.key);
      const seen = box.y > top && box.y < bottom && box.x > left && box.x < right;
      if (seen) this.card(pen, process, box);
    }
    this.fade();
  }

  fade() {
    const now = performance.now();
    for (const [key, since] of this.flashes) if (now - since > FLASH_MS) this.flashes.delete(key);
    if (this.flashes.size) this.draw();
  }

  edge(pen, process, sight) {
    const from = process.parent != null && this.box(process.parent);
    if (!from) return;
    const to = this.box(process.key);
    const y1 = from.y + CARD.height / 2;
    const y2 = to.y + CARD.height / 2;
    if (Math.max(y1, y2) < sight.top || Math.min(y1, y2) > sight.bottom + CARD.height) return;
    if (to.x < sight.left || from.x > sight.right) return;
    const middle = (from.x + CARD.width + to.x) / 2;
    pen.globalAlpha = 0.35;
    pen.strokeStyle = this.ink;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(from.x + CARD.width, y1);
    pen.bezierCurveTo(middle, y1, middle, y2, to.x, y2);
    pen.stroke();
    pen.globalAlpha = 1;
  }

  card(pen, process, box) {
    const seen = look(process);
    const inside = new Path2D();
    inside.roundRect(box.x, box.y, CARD.width, CARD.height, 5);
    pen.fillStyle = this.ink;
    pen.globalAlpha = 0.04;
    pen.fill(inside);
    this.flash(pen, process, inside, seen);
    pen.globalAlpha = 0.35;
    pen.strokeStyle = this.ink;
    pen.setLineDash(process.pid === null ? [4, 3] : []);
    pen.stroke(inside);
    pen.setLineDash([]);
    pen.globalAlpha = 1;
    pen.fillStyle = seen.colour;
    pen.fillRect(box.x, box.y + 2, 4, CARD.height - 4);
    if (process.key === this.selected) this.ring(pen, inside);
    this.words(pen, process, box, seen);
  }

  flash(pen, process, inside, seen) {
    const since = this.flashes.get(process.key);
    if (since === undefined) return;
    pen.globalAlpha = 0.5 * Math.max(0, 1 - (performance.now() - since) / FLASH_MS);
    pen.fillStyle = process.restarts ? "#d64545" : seen.colour;
    pen.fill(inside);
  }

  ring(pen, inside) {
    pen.lineWidth = this.twin.contains(document.activeElement) ? 2.5 : 1.5;
    pen.strokeStyle = getComputedStyle(this.root).getPropertyValue("--jp-brand-color1") || "#3b82d6";
    pen.stroke(inside);
    pen.lineWidth = 1;
  }

  words(pen, process, box, seen) {
    pen.textBaseline = "alphabetic";
    pen.font = `13px ${this.font}`;
    pen.textAlign = "center";
    pen.fillStyle = seen.colour;
    pen.fillText(seen.glyph, box.x + 18, box.y + 17);
    pen.fillStyle = this.ink;
    pen.font = `11px ${this.font}`;
    pen.textAlign = "right";
    pen.globalAlpha = 0.75;
    const note = badges(process);
    pen.fillText(note, box.x + CARD.width - 8, box.y + 17);
    const taken = note ? pen.measureText(note).width + 10 : 0;
    pen.textAlign = "left";
    const calm = process.status === "running" || process.status === "waiting";
    const second = calm ? details(process) : `${seen.word} · ${details(process)}`;
    this.fit(pen, second, box.x + 30, box.y + 32, CARD.width - 38);
    pen.globalAlpha = 1;
    pen.font = `600 12px ${this.font}`;
    this.fit(pen, process.name, box.x + 30, box.y + 17, CARD.width - 38 - taken);
  }

  fit(pen, text, x, y, width) {
    let short = text.length > 80 ? text.slice(0, 80) : text;
    while (short.length > 1 && pen.measureText(short === text ? short : `${short}…`).width > width) {
      short = short.slice(0, -1);
    }
    pen.fillText(short === text ? text : `${short}…`, x, y);
  }

  twins() {
    const { processes } = this.tree;
    const middle = processes.findIndex((p) => p.key === this.selected);
    const first = Math.max(0, Math.min(middle - MAX_TWINS / 2, processes.length - MAX_TWINS));
    const label = `Supervision tree of ${this.tree.sandbox}, ${processes.length} processes`;
    if (this.twin.getAttribute("aria-label") !== label) this.twin.setAttribute("aria-label", label);
    const known = new Map([...this.twin.children].map((item) => [item.dataset.key, item]));
    const shown = processes.slice(first, first + MAX_TWINS);
    const items = shown.map((process) => this.twinItem(process, known.get(process.key)));
    const focus = this.heir(new Set(items));
    // Who is gone goes first, so that nobody who stays is moved: an element that is moved loses the focus.
    for (const item of [...this.twin.children]) if (!items.includes(item)) item.remove();
    items.forEach((item, index) => {
      if (this.twin.children[index] !== item) this.twin.insertBefore(item, this.twin.children[index] ?? null);
    });
    if (!items.some((item) => item.tabIndex === 0) && items[0]) items[0].tabIndex = 0;
    if (focus && focus !== document.activeElement) focus.focus({ preventScroll: true });
  }

  /** Who has the focus when these items are left: the keyboard goes on beside a process that is gone. */
  heir(items) {
    let item = this.twin.contains(document.activeElement) ? document.activeElement : null;
    if (!item) return null;
    while (item && !items.has(item)) item = item.previousElementSibling;
    return item ?? [...items][0];
  }

  twinItem(process, known) {
    const item = known ?? make("li");
    item.dataset.key = process.key;
    item.setAttribute("role", "treeitem");
    item.setAttribute("aria-level", String(this.places.get(process.key).depth + 1));
    item.setAttribute("aria-selected", String(process.key === this.selected));
    item.tabIndex = process.key === this.selected ? 0 : -1;
    const text = [process.name, look(process).word, details(process), badges(process)].filter(Boolean).join(", ");
    if (item.textContent !== text) item.textContent = text;
    return item;
  }

  item(key) {
    return [...this.twin.children].find((item) => item.dataset.key === key);
  }

  click(event) {
    const area = this.canvas.getBoundingClientRect();
    const x = event.clientX - area.left + this.scroll.scrollLeft;
    const y = event.clientY - area.top + this.scroll.scrollTop;
    for (const process of this.tree.processes) {
      const box = this.box(process.key);
      if (x >= box.x && x <= box.x + CARD.width && y >= box.y && y <= box.y + CARD.height) {
        this.select(process.key);
        this.item(process.key)?.focus({ preventScroll: true });
        this.open();
        return;
      }
    }
    this.close();
  }

  key(event) {
    const keys = this.tree.processes.map((p) => p.key);
    const index = keys.indexOf(this.selected);
    const current = this.tree.processes[index];
    const child = this.tree.processes.find((p) => p.parent === this.selected);
    const next = {
      ArrowDown: keys[Math.min(index + 1, keys.length - 1)],
      ArrowUp: keys[Math.max(index - 1, 0)],
      ArrowLeft: current?.parent,
      ArrowRight: child?.key,
      Home: keys[0],
      End: keys[keys.length - 1],
    }[event.key];
    if (event.key === "Enter" || event.key === " ") this.open(true);
    else if (event.key === "Escape") this.close();
    else if (next) this.reach(next);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Of thousands of processes only those around the selected one have an item. */
  reach(key) {
    if (!this.item(key)) {
      this.select(key);
      this.twins();
    }
    this.item(key)?.focus({ preventScroll: true });
  }

  focused(event) {
    const key = event.target.dataset.key;
    if (key !== undefined && key !== this.selected) this.select(key);
    else this.draw();
  }

  select(key) {
    if (key !== this.selected) this.inspection = null;
    this.selected = key;
    for (const item of this.twin.children) {
      const chosen = item.dataset.key === key;
      item.tabIndex = chosen ? 0 : -1;
      item.setAttribute("aria-selected", String(chosen));
    }
    this.reveal(this.box(key));
    if (!this.panel.hidden) this.open();
    this.draw();
  }

  reveal(box) {
    if (!box) return;
    const view = this.scroll;
    if (box.y < view.scrollTop) view.scrollTop = box.y - MARGIN;
    const below = box.y + CARD.height + MARGIN - view.clientHeight;
    if (below > view.scrollTop) view.scrollTop = below;
    const right = box.x + CARD.width + MARGIN - view.clientWidth;
    if (right > view.scrollLeft) view.scrollLeft = right;
    if (box.x < view.scrollLeft) view.scrollLeft = box.x - MARGIN;
  }

  open(focus) {
    if (this.selected === null) return;
    this.panel.hidden = false;
    this.note.textContent = "";
    this.show();
    this.ask({ type: "inspect", key: this.selected });
    if (focus) this.panel.querySelector("button:not([hidden])")?.focus();
  }

  close() {
    const inside = this.panel.contains(document.activeElement);
    const back = inside && (this.item(this.selected) ?? this.twin.firstElementChild);
    this.panel.hidden = true;
    if (back) back.focus({ preventScroll: true });
  }

  ask(message) {
    clearTimeout(this.wait);
    // What is sent without a connection would be done whenever there is one again.
    const unheard = this.model.get("frozen") === GONE ? GONE : cutOff(this.kernel);
    if (unheard) {
      this.note.textContent = unheard;
      return;
    }
    this.model.send(message);
    this.wait = setTimeout(() => {
      this.note.textContent = "Asked. The kernel answers here when the running cell is done.";
    }, 700);
  }

  receive(message) {
    if (message.type !== "inspection" && message.type !== "answer") return;
    if (message.key !== this.selected) return;
    clearTimeout(this.wait);
    this.note.textContent = message.note ?? "";
    if (message.type === "inspection") {
      this.inspection = message;
      this.show();
    }
  }

  /** What is pressed stays as it is until it is let go: a click is lost, or meant for another, when it changes. */
  hold(ms) {
    clearTimeout(this.held);
    this.held = setTimeout(() => {
      this.held = 0;
      this.show();
    }, ms);
  }

  /** What there is to say of the process looked at. Nothing is made anew: focus and selection stay where they are. */
  show() {
    if (this.panel.hidden || this.held) return;
    const process = this.tree.processes.find((p) => p.key === this.selected);
    this.shown = process;
    if (process) {
      this.called = process.shown ?? process.key;
      this.panel.setAttribute("aria-label", `Process ${this.called}`);
      this.tellFacts(process);
    }
    const seen = process && look(process);
    say(this.heading, seen ? `${seen.glyph} ${this.called} · ${seen.word}` : `${this.called} is gone`);
    this.facts.hidden = !process;
    const focus = this.panel.contains(document.activeElement) ? document.activeElement : null;
    for (const button of this.buttons.querySelectorAll("button")) button.hidden = !process || !fits(button, process);
    if (focus?.hidden) (this.opposite(focus) ?? this.panel).focus();
  }

  /** The button that has taken the place of this one. */
  opposite(button) {
    return this.buttons.querySelector(`[data-verb="${OPPOSITE[button.dataset.verb]}"]:not([hidden])`);
  }

  tellFacts(process) {
    const more = this.inspection ?? {};
    const facts = {
      runs: [process.behaviour, process.pid].filter(Boolean).join(" · "),
      strategy: [process.strategy, budget(process)].filter(Boolean).join(" · "),
      state: process.state,
      queue: [String(process.queue), ...(more.mailbox ?? [])].join("\n"),
      "waiting for": more.waiting_for,
      links: (more.links ?? process.links).join(", "),
      monitors: (more.monitors ?? process.monitors).join(", "),
      restarts: String(process.restarts),
      "last exit": process.last_exit,
      "last events": (more.events ?? []).join("\n"),
    };
    for (const [name, value] of Object.entries(facts)) this.tellFact(name, value ?? "");
  }

  tellFact(name, value) {
    let pair = [...this.facts.children].find((one) => one.firstChild.textContent === name);
    if (!pair) {
      pair = make("div");
      pair.append(make("dt", "", name), make("dd"));
      this.facts.append(pair);
    }
    pair.hidden = value === "";
    say(pair.lastChild, value);
  }

  button(verb, label) {
    const button = make("button", "", label);
    button.type = "button";
    button.dataset.verb = verb;
    button.addEventListener("click", () => {
      const { key, pid } = this.shown ?? {};
      if (key !== undefined) this.ask({ type: "act", verb, key, pid });
    });
    return button;
  }
}

/**
 * Show the model over every static picture that carries its mark, now and when one appears. The static picture is
 * what is saved, so a page without the kernel still shows a tree. So does a copy of the notebook with a kernel of its
 * own: Lab's panel writes on each notebook and console which kernel it has, and over those of others nothing is shown.
 */
function mount(model, kernel) {
  const views = new Map();
  const born = performance.now();
  const mark = `[data-jupyter-sandbox="${CSS.escape(model.get("anchor"))}"]`;
  let frame = 0;
  const look = () => {
    frame = 0;
    for (const place of document.querySelectorAll(mark)) {
      // A notebook that was closed and opened again has a model of its own; the one before is still about.
      const other = place[MOUNTED];
      if (views.has(place) || other?.born > born || kernel?.isDisposed || isOfOther(place, kernel)) continue;
      other?.view.dispose();
      const view = new LiveTree(model, place, kernel);
      place[MOUNTED] = { view, born };
      views.set(place, view);
    }
  };
  const observer = new MutationObserver(() => {
    frame ||= requestAnimationFrame(look);
  });
  observer.observe(document.body, { childList: true, subtree: true, attributeFilter: [KERNEL] });
  look();
  return () => {
    observer.disconnect();
    cancelAnimationFrame(frame);
    for (const view of views.values()) view.dispose();
  };
}

/** Whether a place belongs to a notebook that runs on another kernel, or on none. */
function isOfOther(place, kernel) {
  const page = kernel?.id && place.closest(`[${KERNEL}]`);
  return Boolean(page) && page.getAttribute(KERNEL) !== kernel.id;
}

/** Say so when the kernel ends: nobody else could. Other pages than Lab's do not tell. */
function watchKernel(model, kernel) {
  const told = kernel?.statusChanged;
  const onStatus = (_, status) => {
    if (ENDS.has(status) && !model.get("frozen")) model.set("frozen", GONE);
  };
  told?.connect(onStatus);
  return () => told?.disconnect(onStatus);
}

/**
 * Ask for everything when messages were left out: changes, or that the sandbox has ended. A server lets a cell print
 * so much a second, and when it is more, it drops whatever the kernel tells and says so in the kernel's place.
 */
function watchServer(model, kernel) {
  const told = kernel?.iopubMessage;
  let session = "";
  let timer = 0;
  const ask = (patience) => {
    timer = setTimeout(() => {
      timer = 0;
      if (model.get("frozen") === GONE) return; // there is nobody to ask
      if (cutOff(kernel) === "") model.send({ type: "tell" });
      // Until it is told: the answer may be one of what is left out.
      if (patience < MOST_PATIENCE_MS) ask(2 * patience);
    }, patience);
  };
  const onIOPub = (_, { header }) => {
    if (header.msg_type === "status") session = header.session;
    else if (session && header.session !== session && !timer) ask(PATIENCE_MS);
  };
  const onMessage = (message) => {
    if (message.type !== "told") return;
    clearTimeout(timer);
    timer = 0;
  };
  told?.connect(onIOPub);
  model.on("msg:custom", onMessage);
  return () => {
    clearTimeout(timer);
    told?.disconnect(onIOPub);
    model.off("msg:custom", onMessage);
  };
}

export default {
  initialize({ model }) {
    // The tree lives in the model, so that a second view and a later one start from the present.
    const onMessage = (message) => {
      if (message.type === "tree") model.set("tree", message.tree);
      if (message.type === "diff") model.set("tree", patch(model.get("tree"), message.diff));
    };
    model.on("msg:custom", onMessage);
    const kernel = model.widget_manager?.kernel; // of now: a manager that is asked later may have another one
    const dismount = mount(model, kernel);
    const unwatch = [watchKernel(model, kernel), watchServer(model, kernel)];
    return () => {
      unwatch.forEach((stop) => stop());
      model.off("msg:custom", onMessage);
      dismount();
    };
  },
  render({ model, el }) {
    const view = new LiveTree(model, el, model.widget_manager?.kernel);
    return () => view.dispose();
  },
};
