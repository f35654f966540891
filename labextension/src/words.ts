/**
 * How statuses and numbers read: one glyph and one word per status (never colour alone), bytes and seconds in short.
 * The glyphs are those of the Python pictures.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Process, ProcessStatus, SandboxStatus } from './protocol';

export interface Look {
  readonly glyph: string;
  readonly word: string;
  /** One of the tones of the style sheet: good, busy, calm, warn, bad, off. */
  readonly tone: string;
}

export function processLook(status: ProcessStatus, trans: TranslationBundle): Look {
  switch (status) {
    case 'running':
      return { glyph: '●', word: trans.__('running'), tone: 'good' };
    case 'waiting':
      return { glyph: '◌', word: trans.__('waiting'), tone: 'calm' };
    case 'suspended':
      return { glyph: '‖', word: trans.__('suspended'), tone: 'warn' };
    case 'restarting':
      return { glyph: '↻', word: trans.__('restarting'), tone: 'warn' };
    case 'stopped':
      return { glyph: '○', word: trans.__('stopped'), tone: 'off' };
    case 'exiting':
      return { glyph: '✕', word: trans.__('exiting'), tone: 'bad' };
    default:
      return { glyph: '?', word: String(status), tone: 'off' };
  }
}

export function sandboxLook(status: SandboxStatus, trans: TranslationBundle): Look {
  switch (status) {
    case 'starting':
      return { glyph: '◔', word: trans.__('starting'), tone: 'busy' };
    case 'running':
      return { glyph: '●', word: trans.__('running'), tone: 'good' };
    case 'paused':
      return { glyph: '‖', word: trans.__('paused'), tone: 'warn' };
    case 'reloading':
      return { glyph: '↻', word: trans.__('reloading'), tone: 'busy' };
    case 'stopping':
      return { glyph: '◑', word: trans.__('stopping'), tone: 'busy' };
    case 'stopped':
      return { glyph: '○', word: trans.__('stopped'), tone: 'off' };
    case 'crashed':
      return { glyph: '✕', word: trans.__('crashed'), tone: 'bad' };
    default:
      return { glyph: '?', word: String(status), tone: 'off' };
  }
}

/** `12.4 MB`, in the units limits are given in. */
export function megabytes(bytes: number): string {
  const value = bytes / 1e6;
  return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} MB`;
}

/** `4:05`, or `45 s` below a minute. */
export function duration(seconds: number): string {
  if (seconds < 60) {
    return `${Math.round(seconds)} s`;
  }
  const whole = Math.floor(seconds);
  const rest = `${Math.floor(whole / 60) % 60}:${String(whole % 60).padStart(2, '0')}`;
  return whole < 3600 ? rest : `${Math.floor(whole / 3600)}:${rest.padStart(5, '0')}`;
}

/** `counter.Counter` → `Counter`. */
export function shortBehaviour(behaviour: string): string {
  return behaviour.slice(behaviour.lastIndexOf('.') + 1) || behaviour;
}

/** What stands below a name: strategy and budget of a supervisor, the state of anything else. */
export function detail(process: Process): string {
  if (process.strategy) {
    const left = process.budget === null ? '' : ` ${process.budget_left ?? 0}/${process.budget}`;
    return process.strategy + left;
  }
  return process.pid === null ? (process.last_exit ?? '') : process.state;
}

/** A process in one line, for those who do not see the picture. */
export function spoken(process: Process, trans: TranslationBundle): string {
  const parts = [process.name, shortBehaviour(process.behaviour), processLook(process.status, trans).word];
  if (process.strategy) {
    parts.push(process.strategy);
    if (process.budget !== null) {
      parts.push(trans.__('%1 of %2 restarts left', process.budget_left ?? 0, process.budget));
    }
  } else if (process.state) {
    parts.push(trans.__('state %1', process.state));
  }
  if (process.queue) {
    parts.push(trans.__('queue %1', process.queue));
  }
  if (process.restarts) {
    parts.push(trans._n('%1 restart', '%1 restarts', process.restarts));
  }
  return parts.join(', ');
}
