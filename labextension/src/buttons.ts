/** Buttons that run commands: enabled when the command is, with its icon and its caption. */
import type { CommandRegistry } from '@lumino/commands';
import type { LabIcon } from '@jupyterlab/ui-components';

import { h } from './dom';

export interface Choice {
  readonly command: string;
  /** Short name: what a screen reader says, and the text of a button without an icon. */
  readonly name: string;
  readonly icon?: LabIcon;
}

export class Buttons {
  constructor(
    private readonly commands: CommandRegistry,
    label: string,
    groups: readonly (readonly Choice[])[]
  ) {
    this.node = h('div', { class: 'jp-Sandbox-buttons', role: 'toolbar', 'aria-label': label });
    for (const group of groups) {
      const box = h('div', { class: 'jp-Sandbox-group' });
      box.append(...group.map(choice => this.make(choice)));
      this.node.append(box);
    }
  }

  update(): void {
    for (const [command, button] of this.made) {
      // Not `disabled`: a button that loses the focus while it is pressed sends the keyboard back to the start.
      const enabled = this.commands.isEnabled(command);
      button.setAttribute('aria-disabled', String(!enabled));
    }
  }

  private make(choice: Choice): HTMLButtonElement {
    const button = h('button', {
      class: choice.icon ? 'jp-Sandbox-button jp-mod-icon' : 'jp-Sandbox-button',
      type: 'button',
      title: this.commands.caption(choice.command),
      'aria-label': choice.name,
      'data-command': choice.command
    });
    if (choice.icon) {
      choice.icon.element({ container: button, elementPosition: 'center', tag: 'span' });
      button.setAttribute('aria-label', choice.name);
    } else {
      button.textContent = choice.name;
    }
    button.addEventListener('click', () => {
      if (this.commands.isEnabled(choice.command)) {
        void this.commands.execute(choice.command);
      }
    });
    this.made.set(choice.command, button);
    return button;
  }

  readonly node: HTMLElement;
  private readonly made = new Map<string, HTMLButtonElement>();
}
