/** The sandboxes of a kernel: name, main class and status of each; one of them is looked at. */
import type { TranslationBundle } from '@jupyterlab/translation';

import { Rows, h, say, set } from './dom';
import type { Model } from './model';
import type { Info } from './protocol';
import { sandboxLook } from './words';

export class SandboxList {
  constructor(
    private readonly model: Model,
    private readonly trans: TranslationBundle
  ) {
    this.node = h('div', { class: 'jp-Sandbox-list', role: 'listbox', 'aria-label': trans.__('Sandboxes') });
    this.rows = new Rows<Info>(this.node, name => this.make(name), (row, info) => this.describe(row, info));
    this.node.addEventListener('keydown', event => this.onKey(event));
  }

  update(): void {
    const { sandboxes, selected } = this.model.state;
    this.rows.set([...sandboxes].map(([name, sandbox]) => [name, sandbox.info] as const));
    if (selected !== this.shown) {
      this.shown = selected;
      this.current?.scrollIntoView({ block: 'nearest' });
    }
  }

  /** The row of the sandbox looked at. */
  get current(): HTMLElement | null {
    return this.node.querySelector<HTMLElement>('[aria-selected="true"]');
  }

  private make(name: string): HTMLElement {
    const row = h(
      'div',
      { class: 'jp-Sandbox-row', role: 'option', 'data-name': name },
      h('span', { class: 'jp-Sandbox-glyph', 'aria-hidden': 'true' }),
      h('span', { class: 'jp-Sandbox-name' }, name),
      h('span', { class: 'jp-Sandbox-main' }),
      h('span', { class: 'jp-Sandbox-status' })
    );
    row.addEventListener('click', () => this.model.select(name));
    return row;
  }

  private describe(row: HTMLElement, info: Info): void {
    const [glyph, , main, status] = row.children;
    const look = sandboxLook(info.status, this.trans);
    const selected = info.name === this.model.state.selected;
    set(row, {
      'data-tone': look.tone,
      'aria-selected': selected,
      tabindex: selected ? 0 : -1,
      title: info.reason || `${info.name}: ${look.word}`
    });
    if (glyph && main && status) {
      say(glyph, look.glyph);
      say(main, info.main ?? '');
      say(status, look.word);
    }
  }

  private onKey(event: KeyboardEvent): void {
    const names = [...this.model.state.sandboxes.keys()];
    const at = names.indexOf(this.model.state.selected ?? '');
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: names.length - 1 }[event.key];
    const name = to === undefined ? undefined : names[to];
    if (name !== undefined) {
      event.preventDefault();
      this.model.select(name);
      this.current?.focus();
    }
  }

  readonly node: HTMLElement;
  private shown: string | null = null;
  private readonly rows: Rows<Info>;
}
