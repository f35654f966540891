/** The user's settings, read from what the schema allows. */
import type { ISettingRegistry } from '@jupyterlab/settingregistry';

export const SECTIONS = ['limits', 'processes', 'inspector', 'steps', 'alerts'] as const;
export type SectionName = (typeof SECTIONS)[number];

export interface Settings {
  readonly sections: Readonly<Record<SectionName, boolean>>;
  readonly isolation: boolean;
  /** Most redraws in a second. */
  readonly refresh: number;
}

export const DEFAULTS: Settings = {
  sections: { limits: true, processes: true, inspector: true, steps: true, alerts: true },
  isolation: true,
  refresh: 10
};

export function readSettings(settings: ISettingRegistry.ISettings): Settings {
  const shown = (settings.get('sections').composite ?? {}) as Record<string, unknown>;
  const refresh = settings.get('refresh').composite;
  return {
    sections: Object.fromEntries(SECTIONS.map(name => [name, shown[name] !== false])) as Settings['sections'],
    isolation: settings.get('isolation').composite !== false,
    refresh: typeof refresh === 'number' ? Math.min(30, Math.max(1, refresh)) : DEFAULTS.refresh
  };
}
