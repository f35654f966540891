/** One process looked at: what the tree knows of it now, and what the kernel said when it was asked. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';

import { Buttons } from './buttons';
import { COMMANDS } from './commands';
import { Rows, h, say, set, show } from './dom';
import type { Model } from './model';
import type { Inspection, Process } from './protocol';
import { processLook } from './words';

export class Inspector {
  constructor(commands: CommandRegistry, private readonly trans: TranslationBundle) {
    this.glyph = h('span', { class: 'jp-Sandbox-glyph', 'aria-hidden': 'true' });
    this.name = h('strong', { class: 'jp-Sandbox-name' });
    this.status = h('span', { class: 'jp-Sandbox-status' });
    this.behaviour = h('div', { class: 'jp-Sandbox-behaviour' });
    this.state = h('pre', { class: 'jp-Sandbox-state', tabindex: 0, role: 'group', 'aria-label': trans.__('State') });
    this.facts = h('dl', { class: 'jp-Sandbox-facts' });
    const fact = (name: string): HTMLElement => h('div', {}, h('dt', {}, name), h('dd'));
    this.pairs = new Rows<string>(this.facts, fact, (pair, value) => say(pair.children[1] as HTMLElement, value));
    this.mailbox = new Lines(trans.__('Mailbox'));
    this.events = new Lines(trans.__('Last events'));
    this.buttons = new Buttons(commands, trans.__('Process'), [
      [
        { command: COMMANDS.suspendProcess, name: trans.__('Suspend') },
        { command: COMMANDS.unsuspendProcess, name: trans.__('Unsuspend') },
        { command: COMMANDS.restartProcess, name: trans.__('Restart') },
        { command: COMMANDS.killProcess, name: trans.__('Kill') }
      ]
    ]);
    this.head = h('div', { class: 'jp-Sandbox-head' }, this.glyph, this.name, this.status);
    const parts = [this.head, this.behaviour, this.buttons.node, this.state, this.facts];
    this.node = h('div', { class: 'jp-Sandbox-inspector' }, ...parts, this.mailbox.node, this.events.node);
  }

  update(model: Model): void {
    const process = model.process;
    if (!process) {
      return;
    }
    const look = processLook(process.status, this.trans);
    set(this.head, { 'data-tone': look.tone });
    say(this.glyph, look.glyph);
    say(this.name, process.name);
    say(this.status, look.word);
    say(this.behaviour, [process.behaviour, process.pid ?? ''].filter(Boolean).join(' · '));
    show(this.state, process.state !== '');
    say(this.state, process.state);
    this.tellFacts(process, model.inspection);
    this.mailbox.set(mailbox(model.inspection, this.trans));
    this.events.set((model.inspection?.events ?? []).map(event => `#${event.step} ${event.kind} ${event.text}`.trim()));
    this.buttons.update();
  }

  private tellFacts(process: Process, told: Inspection | null): void {
    const trans = this.trans;
    const facts: [string, string][] = [
      [trans.__('Queue'), String(process.queue)],
      [trans.__('Restarts'), String(process.restarts)],
      [trans.__('Steps'), String(process.steps)],
      [trans.__('Strategy'), strategy(process, trans)],
      [trans.__('Waits for'), told?.waiting_for ?? ''],
      [trans.__('Links'), (told?.links ?? process.links).join(', ')],
      [trans.__('Monitors'), (told?.monitors ?? process.monitors).join(', ')],
      [trans.__('Monitored by'), (told?.monitored_by ?? []).join(', ')],
      [trans.__('Last exit'), process.last_exit ?? '']
    ];
    this.pairs.set(facts.filter(([, value]) => value !== ''));
  }

  readonly node: HTMLElement;
  private readonly head: HTMLElement;
  private readonly glyph: HTMLElement;
  private readonly name: HTMLElement;
  private readonly status: HTMLElement;
  private readonly behaviour: HTMLElement;
  private readonly state: HTMLElement;
  private readonly facts: HTMLElement;
  private readonly pairs: Rows<string>;
  private readonly mailbox: Lines;
  private readonly events: Lines;
  private readonly buttons: Buttons;
}

function strategy(process: Process, trans: TranslationBundle): string {
  if (!process.strategy || process.budget === null) {
    return process.strategy ?? '';
  }
  const { budget_left: left, budget, period_s: period } = process;
  return trans.__('%1, %2 of %3 restarts left in %4 s', process.strategy, left ?? 0, budget, period ?? 0);
}

function mailbox(told: Inspection | null, trans: TranslationBundle): string[] {
  const omitted = told?.mailbox_omitted ?? 0;
  return [...(told?.mailbox ?? []), ...(omitted ? [trans.__('and %1 more', omitted)] : [])];
}

/** A titled list of one-line texts; away when there are none. */
class Lines {
  constructor(title: string) {
    this.list = h('ol', {});
    this.node = h('div', { class: 'jp-Sandbox-lines' }, h('h4', {}, title), this.list);
    this.rows = new Rows<string>(this.list, () => h('li'), say);
  }

  set(lines: readonly string[]): void {
    this.rows.set(lines.map((line, index) => [String(index), line]));
    show(this.node, lines.length > 0);
  }

  readonly node: HTMLElement;
  private readonly list: HTMLElement;
  private readonly rows: Rows<string>;
}
