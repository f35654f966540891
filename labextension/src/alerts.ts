/** Limits exceeded and crashes told, the newest first; spoken by screen readers as they come. */
import type { TranslationBundle } from '@jupyterlab/translation';

import { h } from './dom';
import type { Notice } from './store';

const GLYPHS = { error: '✕', warning: '▲', info: 'ℹ' };

export class Alerts {
  constructor(private readonly trans: TranslationBundle) {
    this.node = h('ul', { class: 'jp-Sandbox-alerts', role: 'log', 'aria-label': trans.__('Alerts') });
  }

  update(notices: readonly Notice[]): void {
    if (notices === this.notices) {
      return;
    }
    this.notices = notices;
    this.add(notices.filter(notice => !this.items.has(notice)));
    for (const [notice, item] of this.items) {
      if (!notices.includes(notice)) {
        item.remove();
        this.items.delete(notice);
      }
    }
  }

  /** Who reads, or is about to click, goes on where he is: what comes is put above, out of sight. */
  private add(fresh: readonly Notice[]): void {
    const { node } = this;
    const top = node.scrollTop > 0 || node.matches(':hover, :focus-within') ? node.firstElementChild : null;
    const before = top?.getBoundingClientRect().top ?? 0;
    fresh.forEach(notice => this.prepend(notice));
    if (top) {
      node.scrollTop += top.getBoundingClientRect().top - before;
    }
  }

  private prepend(notice: Notice): void {
    const item = this.make(notice);
    this.items.set(notice, item);
    this.node.prepend(item);
  }

  private make(notice: Notice): HTMLElement {
    const tone = { error: 'bad', warning: 'warn', info: 'calm' }[notice.level];
    const title = notice.text.startsWith(notice.title) ? '' : notice.title.replace(/_/g, ' ');
    const item = h(
      'li',
      { class: 'jp-Sandbox-alert', 'data-tone': tone },
      h('span', { class: 'jp-Sandbox-glyph', 'aria-hidden': 'true' }, GLYPHS[notice.level]),
      h('div', {}, ...(title ? [h('b', {}, title), ' '] : []), notice.text)
    );
    if (notice.details.length) {
      const details = h('pre', { tabindex: 0 }, notice.details.join('\n'));
      item.append(h('details', {}, h('summary', {}, this.trans.__('Traceback')), details));
    }
    return item;
  }

  readonly node: HTMLElement;
  private notices: readonly Notice[] = [];
  private readonly items = new Map<Notice, HTMLElement>();
}
