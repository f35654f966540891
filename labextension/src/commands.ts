/** Every action of the panel as a command: in the palette, behind the buttons, in menus and shortcuts. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, type ICommandPalette, InputDialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  closeIcon, fastForwardIcon, type LabIcon, pauseIcon, refreshIcon, runIcon, stepOverIcon, stopIcon
} from '@jupyterlab/ui-components';

import { killIcon, sandboxIcon, snapshotIcon, stepIcon } from './icons';
import type { Model } from './model';
import type { Verb } from './protocol';

export const COMMANDS = {
  open: 'jupyter-sandbox:open',
  pause: 'jupyter-sandbox:pause',
  step: 'jupyter-sandbox:step',
  stepTen: 'jupyter-sandbox:step-ten',
  resume: 'jupyter-sandbox:resume',
  start: 'jupyter-sandbox:start',
  stop: 'jupyter-sandbox:stop',
  restart: 'jupyter-sandbox:restart',
  snapshot: 'jupyter-sandbox:snapshot',
  kill: 'jupyter-sandbox:kill',
  killProcess: 'jupyter-sandbox:kill-process',
  suspendProcess: 'jupyter-sandbox:suspend-process',
  unsuspendProcess: 'jupyter-sandbox:unsuspend-process',
  restartProcess: 'jupyter-sandbox:restart-process',
  inspectProcess: 'jupyter-sandbox:inspect-process',
  clearAlerts: 'jupyter-sandbox:clear-alerts',
  refresh: 'jupyter-sandbox:refresh'
} as const;

interface Action {
  readonly id: string;
  readonly label: string;
  readonly caption: string;
  readonly icon?: LabIcon;
  readonly enabled: () => boolean;
  readonly run: () => unknown;
}

export interface Registration {
  readonly app: JupyterFrontEnd;
  readonly model: Model;
  readonly trans: TranslationBundle;
  readonly palette: ICommandPalette | null;
  readonly open: () => void;
}

export function addCommands(registration: Registration): void {
  const { app, model, palette, trans } = registration;
  const category = trans.__('Sandbox');
  for (const action of [...sandboxActions(registration), ...processActions(registration), ...viewActions(registration)]) {
    app.commands.addCommand(action.id, {
      label: action.label,
      caption: action.caption,
      ...(action.icon ? { icon: action.icon } : {}),
      isEnabled: action.enabled,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: action.run
    });
    palette?.addItem({ command: action.id, category });
  }
  model.changed.connect(() => app.commands.notifyCommandChanged());
}

function sandboxActions({ model, trans }: Registration): Action[] {
  const ask = (id: string, verb: Verb, label: string, caption: string, icon: LabIcon): Action => ({
    id, label, caption, icon, enabled: () => model.may(verb), run: () => model.ask(verb)
  });
  const step = (id: string, count: number, label: string, caption: string, icon: LabIcon): Action => ({
    id, label, caption, icon, enabled: () => model.may('step'), run: () => model.step(count)
  });
  return [
    ask(COMMANDS.pause, 'pause', trans.__('Pause Sandbox'), trans.__('Pause: no process takes a step'), pauseIcon),
    step(COMMANDS.step, 1, trans.__('Step Sandbox'), trans.__('Step: one process handles one signal'), stepIcon),
    step(COMMANDS.stepTen, 10, trans.__('Step Sandbox Ten Times'), trans.__('Ten steps'), stepOverIcon),
    ask(COMMANDS.resume, 'resume', trans.__('Resume Sandbox'), trans.__('Resume: run on'), fastForwardIcon),
    ask(COMMANDS.start, 'start', trans.__('Start Sandbox'), trans.__('Start its main supervisor again'), runIcon),
    ask(COMMANDS.restart, 'restart', trans.__('Restart Sandbox'), trans.__('Restart in a new OS process'), refreshIcon),
    ask(COMMANDS.stop, 'stop', trans.__('Stop Sandbox'), trans.__('Stop its processes in order'), stopIcon),
    {
      id: COMMANDS.snapshot,
      label: trans.__('Take Snapshot of Sandbox…'),
      caption: trans.__('Take a snapshot to go back to'),
      icon: snapshotIcon,
      enabled: () => model.may('snapshot'),
      run: () => snapshot(model, trans)
    },
    {
      id: COMMANDS.kill,
      label: trans.__('Kill Sandbox…'),
      caption: trans.__('Kill its OS process and forget it, snapshots too'),
      icon: killIcon,
      enabled: () => model.may('destroy'),
      run: () => kill(model, trans)
    }
  ];
}

function processActions({ model, trans }: Registration): Action[] {
  const ask = (id: string, verb: Verb, label: string, caption: string, icon: LabIcon): Action => ({
    id, label, caption, icon, enabled: () => model.mayProcess(verb), run: () => model.askProcess(verb)
  });
  return [
    ask(COMMANDS.killProcess, 'kill_process', trans.__('Kill Process'), trans.__('Kill: its links hear of it'), closeIcon),
    ask(
      COMMANDS.suspendProcess, 'suspend_process', trans.__('Suspend Process'),
      trans.__('Suspend: messages wait in its mailbox'), pauseIcon
    ),
    ask(
      COMMANDS.unsuspendProcess, 'unsuspend_process', trans.__('Unsuspend Process'),
      trans.__('Let it handle messages again'), runIcon
    ),
    ask(
      COMMANDS.restartProcess, 'restart_process', trans.__('Restart Process'),
      trans.__('Have its supervisor restart it'), refreshIcon
    ),
    {
      id: COMMANDS.inspectProcess,
      label: trans.__('Inspect Process Again'),
      caption: trans.__('Ask for its mailbox, links and last events of now'),
      enabled: () => model.mayProcess('inspect'),
      run: () => model.inspect()
    }
  ];
}

function viewActions({ model, trans, open }: Registration): Action[] {
  return [
    {
      id: COMMANDS.open,
      label: trans.__('Show Sandboxes'),
      caption: trans.__('Show the panel of sandboxes'),
      icon: sandboxIcon,
      enabled: () => true,
      run: open
    },
    {
      id: COMMANDS.clearAlerts,
      label: trans.__('Clear Alerts of Sandbox'),
      caption: trans.__('Clear the alerts shown'),
      enabled: () => (model.sandbox?.notices.length ?? 0) > 0,
      run: () => model.clearNotices()
    },
    {
      id: COMMANDS.refresh,
      label: trans.__('Ask Kernel for Sandboxes Again'),
      caption: trans.__('Ask the kernel to tell everything again'),
      icon: refreshIcon,
      enabled: () => model.follower.session !== null,
      run: () => model.refresh()
    }
  ];
}

/** The sandbox that a dialog names is the one that is meant, whatever a cell makes or ends until it is answered. */
async function snapshot(model: Model, trans: TranslationBundle): Promise<void> {
  const { aim } = model;
  const answer = await InputDialog.getText({
    title: trans.__('Take a snapshot of %1', aim?.name ?? ''),
    label: trans.__('Name of the snapshot'),
    okLabel: trans.__('Take Snapshot')
  });
  if (answer.button.accept && answer.value) {
    await model.ask('snapshot', { name: answer.value }, aim);
  }
}

async function kill(model: Model, trans: TranslationBundle): Promise<void> {
  const { aim } = model;
  const answer = await showDialog({
    title: trans.__('Kill sandbox %1?', aim?.name ?? ''),
    body: trans.__('Its OS process is killed at once; its state and its snapshots are lost.'),
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: trans.__('Kill') })]
  });
  if (answer.button.accept) {
    await model.ask('destroy', {}, aim);
  }
}
