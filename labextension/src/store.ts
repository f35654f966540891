/**
 * The panel's picture of one kernel, as a pure function of the events it told. Never talks to anyone: what a state
 * asks for (a hello, a whole tree) stands in it as data, and the link does the asking.
 */
import type { Facts, Info, Process, SandboxEvent, Step, Tree, TreeDiff } from './protocol';

export interface Notice {
  readonly level: 'info' | 'warning' | 'error';
  readonly title: string;
  readonly text: string;
  readonly details: readonly string[];
}

export interface Sandbox {
  readonly info: Info;
  /** When the info was heard, in milliseconds of this page's clock. */
  readonly heardAt: number;
  readonly tree: Tree | null;
  /** Seconds between two pictures, when it changes faster than is told; else 0. */
  readonly pause: number;
  readonly steps: readonly Step[];
  readonly notices: readonly Notice[];
}

export interface Remark {
  readonly tone: 'bad' | 'calm';
  readonly text: string;
  /** True of this sandbox as long as it stands, paused, at this step. */
  readonly at?: { readonly sandbox: string; readonly step: number };
}

export interface State {
  /** True from the kernel's hello to its bye. */
  readonly connected: boolean;
  /** The kernel ended, and sandboxes with it. */
  readonly lost: boolean;
  readonly version: string;
  readonly seq: number;
  readonly sandboxes: ReadonlyMap<string, Sandbox>;
  readonly selected: string | null;
  /** Whether the user selected it: until then the newest sandbox is shown. */
  readonly chosen: boolean;
  /** Events were missed: everything has to be told again. */
  readonly stale: boolean;
  /** Sandboxes whose tree has to be told as a whole. */
  readonly wanted: readonly string[];
  /** What there is to say about the last request, until the next one. */
  readonly remark: Remark | null;
}

export const EMPTY: State = {
  connected: false,
  lost: false,
  version: '',
  seq: 0,
  sandboxes: new Map(),
  selected: null,
  chosen: false,
  stale: false,
  wanted: [],
  remark: null
};

/** Most lines kept of each kind; the kernel's own log has the rest. */
export const MOST_STEPS = 200;
export const MOST_NOTICES = 50;

/** The state after an event that was heard at this time, in milliseconds. */
export function reduce(state: State, event: SandboxEvent, now = 0): State {
  if (event.type === 'hello') {
    return welcome(state, event, now);
  }
  const missed = event.seq !== state.seq + 1;
  const outdated = state.remark?.at !== undefined && moves(state, event, state.remark.at);
  const before = outdated ? remark(state, null) : state;
  const next = { ...apply(before, event, now), seq: event.seq };
  return (missed || !state.connected) && event.type !== 'bye' ? { ...next, stale: true } : next;
}

type Change = Exclude<SandboxEvent, { type: 'hello' }>;

/** Whether a sandbox that stood at a step goes on: a change told late, of that step itself, is no news. */
function moves(state: State, event: Change, at: NonNullable<Remark['at']>): boolean {
  if (event.type === 'sandbox') {
    return event.info.name === at.sandbox && event.info.status !== 'paused';
  }
  if (!('name' in event) || event.name !== at.sandbox) {
    return false;
  }
  switch (event.type) {
    case 'removed':
      return true;
    case 'steps':
      return event.step > at.step;
    case 'tree':
      return event.tree.step > at.step || grows(state, at.sandbox, event.tree.processes);
    case 'diff':
      return event.diff.step > at.step || grows(state, at.sandbox, event.diff.changed);
    default:
      return false;
  }
}

/** Whether somebody has got a message: what comes from outside takes no step of its own. */
function grows(state: State, name: string, processes: readonly Process[]): boolean {
  const before = new Map(state.sandboxes.get(name)?.tree?.processes.map(process => [process.key, process.queue]));
  return processes.some(process => process.queue > (before.get(process.key) ?? 0));
}

function apply(state: State, event: Change, now: number): State {
  switch (event.type) {
    case 'sandbox':
      return keepInfo(state, event.info, now);
    case 'removed':
      return remove(state, event.name);
    case 'tree':
      return change(unwanted(state, event.name), event.name, () => ({ tree: event.tree, pause: event.pause_s ?? 0 }));
    case 'diff':
      return patchTree(state, event.name, event.diff);
    case 'steps':
      return change(state, event.name, old => ({ steps: [...old.steps, ...event.steps].slice(-MOST_STEPS) }));
    case 'alert':
      return notice(state, event.name, { level: 'error', title: event.limit, text: event.message, details: [] });
    case 'notice':
      return notice(state, event.name, {
        level: event.level === 'error' || event.level === 'warning' ? event.level : 'info',
        title: event.process,
        text: event.text,
        details: event.traceback ?? []
      });
    case 'result':
      // Answers are for the one who asked, and every open page hears them: the link knows its own.
      return state;
    case 'bye':
      return EMPTY;
    default:
      return never(event);
  }
}

function never(event: never): never {
  throw new Error(`unknown event ${JSON.stringify(event)}`);
}

/** The kernel told everything: steps and notices seen before stay. */
function welcome(state: State, event: Extract<SandboxEvent, { type: 'hello' }>, now: number): State {
  const sandboxes = new Map<string, Sandbox>();
  for (const info of event.sandboxes) {
    const before = state.sandboxes.get(info.name);
    const same = before?.info.id === info.id ? heirOf(before, info) : undefined;
    sandboxes.set(info.name, {
      info,
      heardAt: now,
      tree: event.trees[info.name] ?? null,
      pause: 0,
      steps: same?.steps ?? [],
      notices: same?.notices ?? []
    });
  }
  const next = { ...state, connected: true, lost: false, version: event.version, seq: event.seq, stale: false };
  return reselect({ ...withoutCalm(next), wanted: [], sandboxes });
}

function keepInfo(state: State, facts: Facts, heardAt: number): State {
  const before = state.sandboxes.get(facts.name);
  const info: Info = { ...facts, alerts: facts.alerts ?? before?.info.alerts ?? [] };
  const sandbox = before ? { ...heirOf(before, info), info, heardAt } : { info, heardAt, tree: null, pause: 0, steps: [], notices: [] };
  const sandboxes = new Map(state.sandboxes).set(info.name, sandbox);
  const selected = before || state.chosen ? state.selected : info.name;
  return reselect({ ...state, sandboxes, selected });
}

/** What is kept of a sandbox that may have got a fresh OS process: steps are counted anew in there. */
function heirOf(before: Sandbox, info: Info): Sandbox {
  const fresh = info.os_pid !== null && info.os_pid !== before.info.os_pid;
  return fresh ? { ...before, steps: [] } : before;
}

function remove(state: State, name: string): State {
  const sandboxes = new Map(state.sandboxes);
  sandboxes.delete(name);
  return reselect({ ...unwanted(state, name), sandboxes });
}

/** The selected sandbox, or the newest there is. */
function reselect(state: State): State {
  if (state.selected !== null && state.sandboxes.has(state.selected)) {
    return state;
  }
  const newest = [...state.sandboxes.keys()].at(-1);
  return { ...state, selected: newest ?? null, chosen: false };
}

function change(state: State, name: string, how: (old: Sandbox) => Partial<Sandbox>): State {
  const old = state.sandboxes.get(name);
  if (!old) {
    return { ...state, stale: true };
  }
  return { ...state, sandboxes: new Map(state.sandboxes).set(name, { ...old, ...how(old) }) };
}

function notice(state: State, name: string, told: Notice): State {
  return change(state, name, old => ({ notices: [...old.notices, told].slice(-MOST_NOTICES) }));
}

function patchTree(state: State, name: string, diff: TreeDiff): State {
  const tree = state.sandboxes.get(name)?.tree;
  if (!tree) {
    return state.wanted.includes(name) ? state : { ...state, wanted: [...state.wanted, name] };
  }
  return change(state, name, () => ({ tree: patch(tree, diff), pause: 0 }));
}

/** The tree after a diff. Processes without a place in the order come last, as they were told. */
export function patch(tree: Tree, diff: TreeDiff): Tree {
  const processes = new Map<string, Process>(tree.processes.map(process => [process.key, process]));
  for (const key of diff.removed) {
    processes.delete(key);
  }
  for (const process of diff.changed) {
    processes.set(process.key, process);
  }
  const ordered = new Map<string, Process>();
  for (const key of diff.order ?? []) {
    const process = processes.get(key);
    if (process) {
      ordered.set(key, process);
    }
  }
  for (const [key, process] of processes) {
    ordered.set(key, process);
  }
  return { sandbox: diff.sandbox, step: diff.step, now_ms: diff.now_ms, processes: [...ordered.values()] };
}

function unwanted(state: State, name: string): State {
  return state.wanted.includes(name) ? { ...state, wanted: state.wanted.filter(other => other !== name) } : state;
}

/** Events were missed, and none that comes later need show it. */
export function miss(state: State): State {
  return state.connected && !state.stale ? { ...state, stale: true } : state;
}

/** Nothing known of the kernel is true any more; whether sandboxes ended with it is remembered. */
export function lose(state: State, ended: boolean): State {
  return { ...EMPTY, lost: ended && (state.lost || state.sandboxes.size > 0) };
}

/** What the user does to the picture itself. */
export function select(state: State, name: string): State {
  return state.sandboxes.has(name) ? { ...withoutCalm(state), selected: name, chosen: true } : state;
}

export function clearNotices(state: State, name: string): State {
  return state.sandboxes.has(name) ? change(state, name, () => ({ notices: [] })) : state;
}

export function remark(state: State, said: Remark | null): State {
  return state.remark === said ? state : { ...state, remark: said };
}

/** Without what was true of how the sandboxes stood; a failure stays until the next request. */
function withoutCalm(state: State): State {
  return state.remark?.tone === 'calm' ? remark(state, null) : state;
}

/** Seconds that a sandbox has run at this time: what was told, and while it runs the seconds since. */
export function runtime({ info, heardAt }: Pick<Sandbox, 'info' | 'heardAt'>, now: number): number {
  return info.lived_s + (ages(info) ? Math.floor(Math.max(0, now - heardAt) / 1000) : 0);
}

/** Whether its run time passes: a pause does not stop it. */
export function ages(info: Info): boolean {
  return info.status === 'running' || info.status === 'paused';
}
