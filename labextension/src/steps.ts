/** Steps told, the newest last: who handled what from whom, what became of its state, what it did. */
import type { TranslationBundle } from '@jupyterlab/translation';

import { Rows, h } from './dom';
import type { Step } from './protocol';

export class Steps {
  constructor(trans: TranslationBundle) {
    this.node = h('ol', {
      class: 'jp-Sandbox-steps', tabindex: 0, role: 'log', 'aria-label': trans.__('Steps')
    });
    this.rows = new Rows<Step>(this.node, () => h('li', { class: 'jp-Sandbox-step' }), (row, step) => this.tell(row, step));
  }

  update(steps: readonly Step[]): void {
    if (steps === this.steps) {
      return;
    }
    const newest = this.node.scrollTop + this.node.clientHeight >= this.node.scrollHeight - 4;
    this.steps = steps;
    this.rows.set(steps.map(step => [String(step.step), step] as const));
    if (newest) {
      this.node.scrollTop = this.node.scrollHeight;
    }
  }

  /** The line of `%sandbox step`: what was handled, and below it what came of it. */
  private tell(row: HTMLElement, step: Step): void {
    if (row.title === step.line && row.firstChild) {
      return;
    }
    row.title = step.line;
    const told = step.line.replace(/^#\d+ /, '');
    const cut = told.indexOf(' · ');
    const handled = cut < 0 ? told : told.slice(0, cut);
    const name = handled.startsWith(step.name) ? step.name : '';
    row.replaceChildren(
      h('span', { class: 'jp-Sandbox-number' }, `#${step.step}`),
      h('div', {}, h('b', {}, name), handled.slice(name.length)),
      h('div', { class: 'jp-Sandbox-outcome' }, cut < 0 ? '' : told.slice(cut + 3))
    );
  }

  readonly node: HTMLElement;
  private steps: readonly Step[] = [];
  private readonly rows: Rows<Step>;
}
