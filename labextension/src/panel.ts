/** The sidebar: the kernel followed, its sandboxes, and everything about the one looked at. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { fastForwardIcon, pauseIcon, refreshIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { Alerts } from './alerts';
import { Buttons } from './buttons';
import { COMMANDS } from './commands';
import { Press, h, say, set, show } from './dom';
import { killIcon, sandboxIcon, snapshotIcon, stepIcon } from './icons';
import { Inspector } from './inspector';
import { Limits } from './limits';
import { SandboxList } from './list';
import type { Model } from './model';
import { Section } from './section';
import type { SectionName } from './settings';
import { Steps } from './steps';
import { TreeView } from './tree';

export class SandboxPanel extends Widget {
  constructor(
    private readonly model: Model,
    commands: CommandRegistry,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.id = 'jupyter-sandbox-panel';
    this.addClass('jp-Sandbox-panel');
    this.title.icon = sandboxIcon;
    this.title.caption = trans.__('Sandboxes');
    this.node.tabIndex = -1;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Sandboxes'));

    this.kernel = h('span', { class: 'jp-Sandbox-kernel' });
    this.top = new Buttons(commands, trans.__('Kernel'), [
      [{ command: COMMANDS.refresh, name: trans.__('Ask again'), icon: refreshIcon }]
    ]);
    this.empty = h('div', { class: 'jp-Sandbox-empty' });
    this.remark = h('p', { class: 'jp-Sandbox-remark', role: 'alert' });
    this.cutOff = h('p', { class: 'jp-Sandbox-reason', role: 'status', 'data-tone': 'warn' });
    this.reason = h('p', { class: 'jp-Sandbox-reason' });
    this.list = new SandboxList(model, trans);
    this.controls = controls(commands, trans);
    this.limits = new Limits(trans);
    this.tree = new TreeView(trans);
    this.pause = h('p', { class: 'jp-Sandbox-pause', role: 'status' });
    this.inspector = new Inspector(commands, trans);
    this.steps = new Steps(trans);
    this.alerts = new Alerts(trans);
    this.clear = new Buttons(commands, trans.__('Alerts'), [[{ command: COMMANDS.clearAlerts, name: trans.__('Clear') }]]);
    this.sections = {
      alerts: new Section(trans.__('Alerts'), 'alerts', this.alerts.node),
      limits: new Section(trans.__('Limits in use'), 'limits', this.limits.node),
      processes: new Section(trans.__('Processes'), 'processes', this.tree.node),
      inspector: new Section(trans.__('Process'), 'inspector', this.inspector.node),
      steps: new Section(trans.__('Steps'), 'steps', this.steps.node)
    };
    this.sections.alerts.tools.append(this.clear.node);
    this.tree.node.after(this.pause); // below, so that the tree does not move when it comes and goes
    this.detail = h('div', { class: 'jp-Sandbox-detail' }, ...Object.values(this.sections).map(one => one.node));
    this.node.append(
      h('div', { class: 'jp-Sandbox-header' }, h('h2', {}, trans.__('Sandboxes')), this.kernel, this.top.node),
      this.empty, this.list.node, this.controls.node, this.cutOff, this.reason, this.remark, this.detail
    );

    this.press = new Press(this.node, () => this.schedule());
    model.changed.connect(() => this.schedule());
    this.tree.picked.connect((_, key) => {
      this.reveals = true;
      model.look(key);
    });
    this.render();
  }

  /** Take the colours of another theme. */
  repaint(): void {
    this.tree.schedule();
  }

  override dispose(): void {
    this.limits.beat(false);
    super.dispose();
  }

  /** Whoever opens the panel goes on in it with the keyboard. */
  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    (this.list.current ?? this.node).focus();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.render();
  }

  protected override onBeforeHide(message: Message): void {
    this.limits.beat(false);
    super.onBeforeHide(message);
  }

  protected override onBeforeDetach(message: Message): void {
    this.limits.beat(false);
    super.onBeforeDetach(message);
  }

  /** Many changes, one redraw: at once when nothing was drawn lately, else when the time between two has passed. */
  private schedule(): void {
    if (!this.timer && this.isVisible) {
      const wait = Math.max(0, this.drawnAt + 1000 / this.model.settings.refresh - performance.now());
      this.timer = window.setTimeout(() => this.onTime(), wait);
    }
  }

  /** What is pressed stays where it is: when it is let go there is a redraw. */
  private onTime(): void {
    this.timer = 0;
    if (!this.press.on) {
      this.render();
    }
  }

  private render(): void {
    this.drawnAt = performance.now();
    const focus = this.node.contains(document.activeElement) ? document.activeElement : null;
    const { state, sandbox, page } = this.model;
    say(this.kernel, page ? page.title.label : '');
    this.renderEmpty();
    this.top.update();
    show(this.list.node, sandbox !== null);
    this.list.update();
    show(this.controls.node, sandbox !== null);
    this.controls.update();
    show(this.cutOff, sandbox !== null && !this.model.reachable);
    say(this.cutOff, this.trans.__('No connection to the kernel: this is how it was when there was one.'));
    show(this.reason, (sandbox?.info.reason ?? '') !== '');
    set(this.reason, { 'data-tone': sandbox?.info.status === 'crashed' ? 'bad' : 'calm' });
    say(this.reason, sandbox?.info.reason ?? '');
    show(this.remark, state.remark !== null);
    set(this.remark, { 'data-tone': state.remark?.tone ?? null });
    say(this.remark, state.remark?.text ?? '');
    show(this.detail, sandbox !== null);
    if (sandbox) {
      this.renderDetail();
    }
    this.limits.beat(sandbox !== null && this.isVisible && this.model.reachable);
    this.refocus(focus);
  }

  /** What had the focus may be gone, and the keyboard would be thrown out of the panel. */
  private refocus(focus: Element | null): void {
    if (focus && focus.getClientRects().length === 0 && this.isVisible) {
      const tree = this.sections.inspector.node.contains(focus) && this.tree.focus();
      if (!tree) {
        (this.list.current ?? this.node).focus();
      }
    }
  }

  private renderDetail(): void {
    const { sandbox, settings, process } = this.model;
    if (!sandbox) {
      return;
    }
    const { tree, pause, steps, notices } = sandbox;
    const visible: Record<SectionName, boolean> = {
      limits: true,
      processes: (tree?.processes.length ?? 0) > 0,
      inspector: process !== null,
      steps: steps.length > 0,
      alerts: notices.length > 0
    };
    for (const [name, section] of Object.entries(this.sections) as [SectionName, Section][]) {
      show(section.node, visible[name] && settings.sections[name]);
    }
    const step = (tree?.step ?? 0).toLocaleString();
    const gone = sandbox.info.os_pid === null;
    this.sections.processes.tell(gone ? this.trans.__('last seen at step %1', step) : this.trans.__('step %1', step));
    show(this.pause, pause > 0 && !gone);
    say(this.pause, this.trans.__('It changes faster than is shown: a whole picture every %1 s.', pause));
    this.sections.alerts.tell(String(notices.length));
    this.limits.update(sandbox, settings.isolation);
    this.tree.update(tree, process?.key ?? null);
    this.inspector.update(this.model);
    this.reveal();
    this.steps.update(steps);
    this.alerts.update(notices);
    this.clear.update();
  }

  /** Who picks a process sees what there is to see of it, as far as the tree, with the keyboard in it, stays in sight. */
  private reveal(): void {
    if (this.reveals && this.model.process) {
      const view = this.detail.getBoundingClientRect();
      const below = this.sections.inspector.node.getBoundingClientRect().bottom - view.bottom;
      const above = this.sections.processes.node.getBoundingClientRect().top - view.top;
      this.detail.scrollTop += Math.max(0, Math.min(below, above));
      this.reveals = this.model.inspection === null; // which makes it longer
    }
  }

  /** What to type next, as long as there is nothing to show. */
  private renderEmpty(): void {
    const { state, page, sandbox } = this.model;
    const trans = this.trans;
    const [text, code] = !page
      ? [trans.__('Open a notebook: its sandboxes appear here.'), '']
      : !state.connected
        ? [
            state.lost
              ? trans.__('The kernel ended, and its sandboxes with it. To begin again, run in a cell of this notebook:')
              : trans.__('To see sandboxes here, run in a cell of this notebook:'),
            '%load_ext jupyter_sandbox'
          ]
        : [trans.__('No sandbox yet. To make one, run in a cell:'), '%sandbox create shop'];
    show(this.empty, sandbox === null);
    if (this.empty.dataset.said !== text + code) {
      this.empty.dataset.said = text + code;
      this.empty.replaceChildren(h('p', {}, text), ...(code ? [h('code', {}, code)] : []));
    }
  }

  private readonly press: Press;
  private timer = 0;
  private drawnAt = -Infinity;
  private reveals = false;
  private readonly kernel: HTMLElement;
  private readonly top: Buttons;
  private readonly empty: HTMLElement;
  private readonly remark: HTMLElement;
  private readonly cutOff: HTMLElement;
  private readonly reason: HTMLElement;
  private readonly list: SandboxList;
  private readonly controls: Buttons;
  private readonly limits: Limits;
  private readonly tree: TreeView;
  private readonly pause: HTMLElement;
  private readonly inspector: Inspector;
  private readonly steps: Steps;
  private readonly alerts: Alerts;
  private readonly clear: Buttons;
  private readonly sections: Record<SectionName, Section>;
  private readonly detail: HTMLElement;
}

function controls(commands: CommandRegistry, trans: TranslationBundle): Buttons {
  return new Buttons(commands, trans.__('Sandbox'), [
    [
      { command: COMMANDS.pause, name: trans.__('Pause'), icon: pauseIcon },
      { command: COMMANDS.step, name: trans.__('Step'), icon: stepIcon },
      { command: COMMANDS.resume, name: trans.__('Resume'), icon: fastForwardIcon }
    ],
    [
      { command: COMMANDS.start, name: trans.__('Start'), icon: runIcon },
      { command: COMMANDS.stop, name: trans.__('Stop'), icon: stopIcon },
      { command: COMMANDS.restart, name: trans.__('Restart'), icon: refreshIcon },
      { command: COMMANDS.snapshot, name: trans.__('Snapshot'), icon: snapshotIcon }
    ],
    [{ command: COMMANDS.kill, name: trans.__('Kill'), icon: killIcon }]
  ]);
}
