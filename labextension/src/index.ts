/** The Lab extension of jupyter_sandbox: one plugin, the panel. */
import {
  ILabShell, ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, IThemeManager } from '@jupyterlab/apputils';
import { IConsoleTracker } from '@jupyterlab/console';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { addCommands } from './commands';
import { Follower, type Pages } from './follow';
import { Memory } from './memory';
import { Model } from './model';
import { SandboxPanel } from './panel';
import { readSettings } from './settings';

const ID = 'jupyter-sandbox:plugin';

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'A panel of the sandboxes of the notebook the user is in.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [IConsoleTracker, ILabShell, ILayoutRestorer, ICommandPalette, ISettingRegistry, IThemeManager, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    notebooks: INotebookTracker,
    consoles: IConsoleTracker | null,
    shell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    registry: ISettingRegistry | null,
    themes: IThemeManager | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_sandbox');
    const trackers: Pages[] = consoles ? [notebooks, consoles] : [notebooks];
    const model = new Model(new Follower(trackers, new Memory(window.localStorage)), {
      idle: trans.__('Nothing more to do: every process waits for a message.'),
      limit: trans.__('The limit of steps was reached.'),
      slow: trans.__('Asked. The sandbox answers when the callback that runs now is done.'),
      silent: trans.__('Asked. The kernel has not said yet that it heard it.'),
      gone: trans.__('this sandbox is gone, nothing was done.')
    });
    const open = (): void => app.shell.activateById('jupyter-sandbox-panel');
    addCommands({ app, model, trans, palette, open });

    const panel = new SandboxPanel(model, app.commands, trans);
    app.shell.add(panel, 'left', { rank: 450, type: 'Sandboxes' });
    if (shell) {
      restorer?.add(panel, panel.id);
    }
    themes?.themeChanged.connect(() => panel.repaint());
    if (registry) {
      void follow(registry, model);
    }
  }
};

async function follow(registry: ISettingRegistry, model: Model): Promise<void> {
  try {
    const settings = await registry.load(ID);
    model.settings = readSettings(settings);
    settings.changed.connect(() => {
      model.settings = readSettings(settings);
    });
  } catch (error) {
    console.warn('jupyter-sandbox: settings could not be read, the defaults hold.', error);
  }
}

export default plugin;
