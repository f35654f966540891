/** What the panel and the commands share: the followed session, the process looked at, and what may be done now. */
import { type ISignal, Signal } from '@lumino/signaling';

import type { Follower, Page } from './follow';
import type { Args } from './link';
import type { Inspection, Process, SandboxStatus, Verb } from './protocol';
import type { SandboxSession } from './session';
import { DEFAULTS, type Settings } from './settings';
import { EMPTY, type Remark, type Sandbox, type State, clearNotices, remark, select } from './store';

/** In which statuses a verb makes sense; the kernel has the last word. */
const LEGAL: Partial<Record<Verb, readonly SandboxStatus[]>> = {
  pause: ['running'],
  resume: ['paused'],
  step: ['paused'],
  start: ['stopped', 'running'],
  stop: ['running', 'paused'],
  restart: ['running', 'paused', 'stopped', 'crashed'],
  snapshot: ['running', 'paused'],
  kill_process: ['running', 'paused'],
  suspend_process: ['running', 'paused'],
  unsuspend_process: ['running', 'paused'],
  restart_process: ['running', 'paused'],
  inspect: ['running', 'paused']
};

/** The least time between two looks that nobody asked for: a process may crash many times a second. */
const REST_MS = 1_000;

/** After so long without an answer the user is told that it is on its way. */
const SLOW_MS = 700;

/** One sandbox of one kernel: what is asked of it later is asked of no other, whichever is looked at then. */
export interface Aim {
  readonly session: SandboxSession;
  readonly name: string;
  /** Another sandbox of the same name has another one. */
  readonly id: number;
}

/** The answer to `step`. */
interface Stepped {
  readonly steps?: readonly unknown[];
  readonly step?: number;
  readonly waiting?: string;
}

export class Model {
  constructor(
    readonly follower: Follower,
    private readonly words: Readonly<Record<'idle' | 'limit' | 'slow' | 'silent' | 'gone', string>>
  ) {
    follower.changed.connect(() => {
      this._changed.emit();
      this.inspectAnew();
    });
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get settings(): Settings {
    return this._settings;
  }

  set settings(settings: Settings) {
    this._settings = settings;
    this._changed.emit();
  }

  /** Whether the kernel can be asked now; else what is shown is how it was before. */
  get reachable(): boolean {
    return this.follower.session?.link.reachable ?? false;
  }

  get page(): Page | null {
    return this.follower.page;
  }

  get state(): State {
    return this.follower.session?.state ?? EMPTY;
  }

  get sandbox(): Sandbox | null {
    const { selected, sandboxes } = this.state;
    return selected === null ? null : (sandboxes.get(selected) ?? null);
  }

  /** The sandbox looked at, for those who act on it later. */
  get aim(): Aim | null {
    const { sandbox } = this;
    const { session } = this.follower;
    return sandbox && session ? { session, name: sandbox.info.name, id: sandbox.info.id } : null;
  }

  /** The process looked at, as the tree shows it now; null when it is gone. */
  get process(): Process | null {
    const looked = this.looked;
    const sandbox = this.sandbox;
    if (!looked || looked.session !== this.follower.session || looked.sandbox !== sandbox?.info.id) {
      return null;
    }
    return sandbox.tree?.processes.find(process => process.key === looked.key) ?? null;
  }

  /** What the kernel said about that process when it was asked last. */
  get inspection(): Inspection | null {
    return this._inspection && this.inspected === this.incarnation ? this._inspection : null;
  }

  /** Which life of the process looked at: it changes when the process, or the whole sandbox, was started anew. */
  private get incarnation(): string | null {
    const pid = this.process?.pid ?? null;
    return pid === null ? null : `${this.sandbox?.info.os_pid} ${pid}`;
  }

  may(verb: Verb): boolean {
    const sandbox = this.sandbox;
    if (!sandbox || !this.state.connected || !this.reachable) {
      return false;
    }
    if (verb === 'start' && sandbox.info.status === 'running') {
      return (sandbox.tree?.processes.length ?? 0) === 0 && sandbox.info.main !== null;
    }
    return LEGAL[verb]?.includes(sandbox.info.status) ?? true;
  }

  mayProcess(verb: Verb): boolean {
    const process = this.process;
    if (!process || !this.may(verb)) {
      return false;
    }
    const suspended = process.status === 'suspended';
    switch (verb) {
      case 'suspend_process':
        return process.pid !== null && !suspended;
      case 'unsuspend_process':
        return suspended;
      case 'restart_process':
        return process.parent !== null;
      default:
        return process.pid !== null;
    }
  }

  /**
   * Ask a sandbox; one that takes its time, because a callback runs, is said to do so. Whoever asks something of a
   * sandbox has chosen it: another one that is made meanwhile does not take its place under the buttons. What is asked
   * already is not asked again before there is an answer, but for steps: two clicks are two of them.
   */
  async ask(verb: Verb, args: Args = {}, aim: Aim | null = this.aim): Promise<unknown> {
    if (aim === null) {
      return undefined;
    }
    const { session, name, id } = aim;
    if (session.state.sandboxes.get(name)?.info.id !== id) {
      session.change(state => remark(state, { tone: 'bad', text: `${name}: ${this.words.gone}` }));
      return undefined;
    }
    const asked = `${verb} ${name} ${JSON.stringify(args)}`;
    if (this.underway.has(asked) && verb !== 'step') {
      return undefined;
    }
    session.change(state => select(state, name));
    const slow: Remark = { tone: 'calm', text: this.words.slow };
    const silent: Remark = { tone: 'calm', text: this.words.silent };
    let wait = silent;
    const timer = window.setTimeout(() => session.change(state => remark(state, wait)), SLOW_MS);
    const heard = (): void => {
      wait = slow;
      session.change(state => (state.remark === silent ? remark(state, slow) : state));
    };
    this.underway.add(asked);
    try {
      return await session.ask(verb, name, args, heard);
    } finally {
      this.underway.delete(asked);
      window.clearTimeout(timer);
      session.change(state => (state.remark === wait ? remark(state, null) : state));
    }
  }

  /** Take steps; when there is nothing to do, say so instead of showing nothing. */
  async step(count: number): Promise<void> {
    const { aim } = this;
    const told = (await this.ask('step', { count }, aim)) as Stepped | undefined;
    if (aim !== null && told?.steps && told.steps.length < count) {
      const text = told.waiting === 'limit' ? this.words.limit : this.words.idle;
      const at = { sandbox: aim.name, step: told.step ?? 0 };
      aim.session.change(state => remark(state, { tone: 'calm', text, at }));
    }
  }

  async askProcess(verb: Verb): Promise<void> {
    const process = this.process;
    if (process) {
      // The one that is shown is meant, and no successor that has its name: a click may come late, or twice.
      const target = verb === 'restart_process' ? process.key : (process.pid ?? process.key);
      await this.ask(verb, { target });
      await this.inspect(true); // quietly: what there is to say about the action stays
    }
  }

  /** Look at a process, and ask for what the tree does not show. */
  look(key: string): void {
    const sandbox = this.sandbox;
    if (sandbox) {
      this.select(sandbox.info.name);
      this.looked = { session: this.follower.session, sandbox: sandbox.info.id, key };
      this._inspection = null;
      this._changed.emit();
      void this.inspect();
    }
  }

  lookAway(): void {
    this.looked = null;
    this._inspection = null;
    this._changed.emit();
  }

  async inspect(quietly = false): Promise<void> {
    const process = this.process;
    if (!process || process.pid === null || !this.may('inspect')) {
      return;
    }
    this.inspected = this.incarnation;
    this.inspectedAt = performance.now();
    const asked = quietly
      ? this.follower.session?.link.request('inspect', this.state.selected, { target: process.key }).catch(() => null)
      : this.ask('inspect', { target: process.key });
    const told = await asked;
    if (told && this.process?.key === process.key) {
      this._inspection = told as Inspection;
      this._changed.emit();
    }
  }

  /** Look again when somebody new has taken the place; not every time when one follows the other. */
  private inspectAnew(): void {
    const { incarnation } = this;
    if (incarnation !== null && this._inspection && incarnation !== this.inspected && this.rested()) {
      void this.inspect(true);
    }
  }

  private rested(): boolean {
    return performance.now() - this.inspectedAt > REST_MS;
  }

  select(name: string): void {
    this.follower.session?.change(state => select(state, name));
  }

  clearNotices(): void {
    const name = this.state.selected;
    if (name !== null) {
      this.follower.session?.change(state => clearNotices(state, name));
    }
  }

  refresh(): void {
    this.follower.session?.link.hello();
  }

  /** What was asked and has no answer yet. */
  private readonly underway = new Set<string>();
  private inspected: string | null = null;
  private inspectedAt = 0;
  /** Of one session: what another kernel calls by the same names is nothing that the user looked at. */
  private looked: { session: SandboxSession | null; sandbox: number; key: string } | null = null;
  private _inspection: Inspection | null = null;
  private _settings: Settings = DEFAULTS;
  private readonly _changed = new Signal<this, void>(this);
}
