/** A few words for making and changing elements. Text goes in as text, never as HTML: it comes from a sandbox. */

export type Attributes = Record<string, string | number | boolean | null>;

/** An element with attributes (`class`, `aria-…`, `data-…`) and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  set(element, attributes);
  element.append(...children);
  return element;
}

/** Set attributes; null takes one away, true and false become words as ARIA wants them. */
export function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) {
      element.removeAttribute(name);
    } else if (element.getAttribute(name) !== String(value)) {
      element.setAttribute(name, String(value));
    }
  }
}

/** Set an element's text, touching the page only when it differs: a live region speaks on every touch. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

export function show(element: HTMLElement, visible: boolean): void {
  element.hidden = !visible;
}

/** The longest that a press is waited for: some systems do not tell when it ends. */
const PRESS_MS = 3_000;

/**
 * Whether somebody presses something in an element. It must not change meanwhile: a click is lost when what was
 * pressed has moved away before it is let go, and another one is meant when something else has taken its place.
 */
export class Press {
  constructor(element: HTMLElement, private readonly over: () => void) {
    element.addEventListener('pointerdown', event => event.button === 0 && this.wait(PRESS_MS), true);
    for (const end of ['pointerup', 'pointercancel']) {
      // The click comes right after, before what is put off for no time at all.
      window.addEventListener(end, () => this.on && this.wait(0));
    }
  }

  get on(): boolean {
    return this.timer !== 0;
  }

  private wait(ms: number): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.over();
    }, ms);
  }

  private timer = 0;
}

/** Rows of a list kept by key, so that a redraw keeps focus, selection and scroll position. */
export class Rows<Item> {
  constructor(
    private readonly list: HTMLElement,
    private readonly make: (key: string) => HTMLElement,
    private readonly update: (row: HTMLElement, item: Item) => void
  ) {}

  set(items: readonly (readonly [string, Item])[]): void {
    const wanted = new Set(items.map(([key]) => key));
    for (const [key, row] of this.rows) {
      if (!wanted.has(key)) {
        row.remove();
        this.rows.delete(key);
      }
    }
    items.forEach(([key, item], index) => this.place(key, item, index));
  }

  private place(key: string, item: Item, index: number): void {
    let row = this.rows.get(key);
    if (!row) {
      row = this.make(key);
      this.rows.set(key, row);
    }
    if (this.list.children[index] !== row) {
      this.list.insertBefore(row, this.list.children[index] ?? null);
    }
    this.update(row, item);
  }

  private readonly rows = new Map<string, HTMLElement>();
}
