/** The state of one notebook's or console's kernel, kept true by its link, whether the panel shows it or not. */
import type { ISessionContext } from '@jupyterlab/apputils';
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { type Args, KernelLink } from './link';
import type { Memory } from './memory';
import type { SandboxEvent, Verb } from './protocol';
import { EMPTY, type State, lose, miss, reduce, remark } from './store';

/** How long is waited for everything to be told again, first and at most: a server that leaves out messages goes on. */
const PATIENCE_MS = 2_000;
const MOST_PATIENCE_MS = 30_000;

export class SandboxSession implements IDisposable {
  constructor(context: ISessionContext, memory: Memory) {
    this.link = new KernelLink(context, memory);
    this.link.told.connect(this.onTold, this);
    this.link.lost.connect((_, ended) => this.change(state => lose(state, ended)));
    this.link.missed.connect(this.onMissed, this);
    context.connectionStatusChanged.connect(this.onConnection, this);
  }

  get state(): State {
    return this._state;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this.link.isDisposed;
  }

  /** Change the picture by a pure function of it. */
  change(how: (state: State) => State): void {
    const next = how(this._state);
    if (next !== this._state) {
      this._state = next;
      this._changed.emit();
    }
  }

  /** Ask the kernel; a failure is shown in the panel and comes back as undefined. */
  async ask(verb: Verb, sandbox: string | null, args: Args, heard: () => void): Promise<unknown> {
    this.change(state => remark(state, null));
    try {
      return await this.link.request(verb, sandbox, args, heard);
    } catch (error) {
      const text = `${verb.replace(/_/g, ' ')}: ${error instanceof Error ? error.message : String(error)}`;
      this.change(state => remark(state, { tone: 'bad', text }));
      return undefined;
    }
  }

  dispose(): void {
    window.clearTimeout(this.timer);
    this.link.dispose();
    Signal.clearData(this);
  }

  private onConnection(): void {
    this._changed.emit();
  }

  private onTold(_: KernelLink, event: SandboxEvent): void {
    const before = this._state;
    this.change(state => reduce(state, event, performance.now()));
    if (this._state.stale && !before.stale) {
      this.catchUp(PATIENCE_MS);
    }
    for (const name of this._state.wanted) {
      if (!before.wanted.includes(name)) {
        this.link.request('tree', name).catch(() => undefined);
      }
    }
  }

  /** Not at once: the server has just begun to leave out messages, and the answer would be one of them. */
  private onMissed(): void {
    if (!this._state.stale) {
      this.change(miss);
      this.later(PATIENCE_MS);
    }
  }

  /** Ask for everything, and again until it is told. */
  private catchUp(patience: number): void {
    this.link.hello();
    this.later(Math.min(2 * patience, MOST_PATIENCE_MS));
  }

  private later(ms: number): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      if (this._state.stale && this.link.reachable) {
        this.catchUp(ms);
      }
    }, ms);
  }

  private timer = 0;
  readonly link: KernelLink;
  private _state: State = EMPTY;
  private readonly _changed = new Signal<this, void>(this);
}
