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
    const fresh = notices.filter(notice => !this.notices.includes(notice));
    const gone = this.notices.some(notice => !notices.includes(notice));
    this.notices = notices;
    if (gone) {
      this.node.replaceChildren(...[...notices].reverse().map(notice => this.make(notice)));
    } else {
      this.node.prepend(...[...fresh].reverse().map(notice => this.make(notice)));
    }
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
}
