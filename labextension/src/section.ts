/** One part of the panel under a heading that folds it. */
import { caretDownIcon } from '@jupyterlab/ui-components';

import { h, say, set, show } from './dom';

let sections = 0;

export class Section {
  constructor(title: string, name: string, content: HTMLElement) {
    sections += 1;
    const id = `jp-sandbox-section-${sections}`;
    this.note = h('span', { class: 'jp-Sandbox-note' });
    const caret = h('span', { class: 'jp-Sandbox-caret', 'aria-hidden': 'true' });
    caretDownIcon.element({ container: caret, elementPosition: 'center' });
    this.button = h(
      'button',
      { class: 'jp-Sandbox-fold', type: 'button', 'aria-expanded': true, 'aria-controls': id },
      caret,
      h('span', { class: 'jp-Sandbox-title' }, title),
      this.note
    );
    this.tools = h('div', { class: 'jp-Sandbox-tools' });
    this.body = h('div', { class: 'jp-Sandbox-body', id }, content);
    this.node = h(
      'section',
      { class: `jp-Sandbox-section jp-mod-${name}`, 'aria-label': title },
      h('h3', { class: 'jp-Sandbox-heading' }, this.button, this.tools),
      this.body
    );
    this.button.addEventListener('click', () => this.fold(!this.body.hidden));
  }

  /** What is said on the heading's right, folded or not. */
  tell(note: string): void {
    say(this.note, note);
  }

  private fold(away: boolean): void {
    show(this.body, !away);
    set(this.button, { 'aria-expanded': !away });
  }

  readonly node: HTMLElement;
  readonly tools: HTMLElement;
  private readonly body: HTMLElement;
  private readonly button: HTMLButtonElement;
  private readonly note: HTMLElement;
}
