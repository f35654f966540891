/** Steps told, the newest last: who handled what from whom, what became of its state, what it did. */
import type { TranslationBundle } from '@jupyterlab/translation';

import { Rows, h } from './dom';
import type { Step } from './protocol';
import { stateChange } from './words';

export class Steps {
  constructor(private readonly trans: TranslationBundle) {
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

  private tell(row: HTMLElement, step: Step): void {
    if (row.title === step.line && row.firstChild) {
      return;
    }
    row.title = step.line;
    const from = step.sender ? [this.trans.__(' from '), h('b', {}, step.sender)] : [];
    const change = stateChange(step);
    const said = [change && this.trans.__('state %1', change), ...step.did].filter(Boolean).join(' · ');
    row.replaceChildren(
      h('span', { class: 'jp-Sandbox-number' }, `#${step.step}`),
      h('div', {}, h('b', {}, step.name), ` ${step.kind} `, h('code', {}, step.message), ...from),
      h('div', { class: 'jp-Sandbox-outcome' }, said)
    );
  }

  readonly node: HTMLElement;
  private steps: readonly Step[] = [];
  private readonly rows: Rows<Step>;
}
