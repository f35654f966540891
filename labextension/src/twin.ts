/**
 * The tree as elements, for keyboards and screen readers: the canvas shows what this says. Holds the focus; only the
 * items around the active one stand in the page, so thousands of processes cost no more than a few.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import { h, set } from './dom';
import type { Picture, Spot } from './picture';
import { spoken } from './words';

/** Items on either side of the active one that stand in the page. */
const AROUND = 100;
let twins = 0;

export class Twin {
  constructor(private readonly trans: TranslationBundle) {
    twins += 1;
    this.prefix = `jp-sandbox-tree-${twins}-`;
    this.node = h('div', {
      class: 'jp-Sandbox-twin', role: 'tree', tabindex: 0, 'aria-label': trans.__('Processes')
    });
  }

  /** Say what is drawn. Items that stay keep their element, so that a reader is not sent back to the start. */
  update(drawn: Picture, active: string | null, selected: string | null): void {
    const middle = active === null ? 0 : (drawn.index.get(active) ?? 0);
    const first = Math.max(0, middle - AROUND);
    const spots = drawn.spots.slice(first, middle + AROUND + 1);
    const kept = new Map<string, HTMLElement>();
    for (const { process } of spots) {
      kept.set(process.key, this.items.get(process.key) ?? h('div', { role: 'treeitem' }));
    }
    // Who is gone goes first, so that nobody who stays is moved.
    for (const [key, item] of this.items) {
      if (!kept.has(key)) {
        item.remove();
      }
    }
    spots.forEach((spot, index) => {
      const item = kept.get(spot.process.key) as HTMLElement;
      this.describe(item, spot, first + index, selected);
      if (this.node.children[index] !== item) {
        this.node.insertBefore(item, this.node.children[index] ?? null);
      }
    });
    this.items = kept;
    const at = active === null ? undefined : drawn.index.get(active);
    set(this.node, { 'aria-activedescendant': at === undefined ? null : this.prefix + at });
  }

  private describe(item: HTMLElement, spot: Spot, index: number, selected: string | null): void {
    set(item, {
      id: this.prefix + index,
      'aria-level': spot.level,
      'aria-posinset': spot.place,
      'aria-setsize': spot.siblings,
      'aria-expanded': spot.expanded,
      'aria-selected': spot.process.key === selected,
      'data-key': spot.process.key
    });
    const text = spoken(spot.process, this.trans);
    if (item.textContent !== text) {
      item.textContent = text;
    }
  }

  readonly node: HTMLElement;
  private readonly prefix: string;
  private items = new Map<string, HTMLElement>();
}
