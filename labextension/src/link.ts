/**
 * The wire to one kernel: requests on the control channel, which is answered while a cell is running, and events on
 * iopub. Never polls, and never asks a kernel that has not shown that the extension is loaded in it: one that does
 * not know the request would log an error.
 */
import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';
import { KernelMessage } from '@jupyterlab/services';
import { PromiseDelegate, UUID } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { EVENT, REQUEST, type Request, type SandboxEvent, type Verb, errorText, readEvent } from './protocol';
import { Memory } from './memory';

/** How long a kernel may take to answer before the user is told; its work goes on. */
const PATIENCE_MS = 15_000;

export type Args = Request['args'];

export class KernelLink implements IDisposable {
  constructor(
    readonly context: ISessionContext,
    private readonly memory: Memory
  ) {
    context.iopubMessage.connect(this.onMessage, this);
    context.kernelChanged.connect(this.onKernel, this);
    context.connectionStatusChanged.connect(this.onConnection, this);
    context.statusChanged.connect(this.onStatus, this);
    this.greet();
  }

  get kernel(): Kernel.IKernelConnection | null {
    return this.context.session?.kernel ?? null;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** What the kernel tells, in order. */
  get told(): ISignal<this, SandboxEvent> {
    return this._told;
  }

  /** Nothing known of the kernel is true any more: it has ended (true), or another one is looked at (false). */
  get lost(): ISignal<this, boolean> {
    return this._lost;
  }

  /** The server left out messages of the kernel, because a cell printed too much. */
  get missed(): ISignal<this, void> {
    return this._missed;
  }

  /** Whether messages come and go. What is asked while they do not would be done whenever they do again. */
  get reachable(): boolean {
    return this.kernel?.connectionStatus === 'connected';
  }

  /** Ask the kernel to do something; the promise holds its result, or an error in words. `heard`: it is at it. */
  async request(verb: Verb, sandbox: string | null = null, args: Args = {}, heard = (): void => {}): Promise<unknown> {
    const kernel = this.kernel;
    if (!kernel) {
      throw new Error('no kernel');
    }
    const id = UUID.uuid4();
    const answer = new PromiseDelegate<unknown>();
    this.pending.set(id, answer);
    // The answer may come before its acknowledgement, when nobody waits for it yet.
    answer.promise.catch(() => undefined);
    const timer = window.setTimeout(() => answer.reject(new Error('the kernel did not answer')), PATIENCE_MS);
    try {
      await this.send(kernel, { id, verb, sandbox, args });
      heard();
      return await answer.promise;
    } finally {
      window.clearTimeout(timer);
      this.pending.delete(id);
    }
  }

  /** Ask for everything to be told again. The answer is an event, so there is nothing to wait for. */
  hello(): void {
    const kernel = this.kernel;
    if (kernel) {
      const request: Request = { id: UUID.uuid4(), verb: 'hello', sandbox: null, args: {} };
      this.send(kernel, request).catch(() => undefined);
    }
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this.forsake();
    Signal.clearData(this);
  }

  private async send(kernel: Kernel.IKernelConnection, content: Request): Promise<void> {
    // A type of our own goes the debugger's way: a request on the control channel.
    const options = {
      channel: 'control' as const,
      session: kernel.clientId,
      username: kernel.username
    };
    const message = KernelMessage.createMessage<KernelMessage.IDebugRequestMsg>({
      ...options,
      msgType: REQUEST as never,
      content: content as never
    });
    const reply: KernelMessage.IMessage = await kernel.sendControlMessage(message, true, true).done;
    const ack = reply.content as { status?: string; error?: unknown; evalue?: unknown } | undefined;
    if (ack?.status === 'error') {
      throw new Error(errorText(ack.error ?? ack.evalue ?? ''));
    }
  }

  private onMessage(_: ISessionContext, message: KernelMessage.IMessage): void {
    const type = message.header.msg_type as string;
    if (this.heard && message.header.session !== this.heard && this.heard !== this.ended) {
      // A kernel says first of all how it is; words of other kinds are the server's, that some were too many.
      if (type === 'status' || type === EVENT) {
        this.begunAnew();
      } else {
        this._missed.emit();
      }
    }
    if (type !== EVENT) {
      return;
    }
    const event = readEvent(message.content);
    if (!event || message.header.session === this.ended) {
      return;
    }
    this.heard = message.header.session;
    const id = this.kernel?.id;
    if (id) {
      this.memory.put(id, event.type !== 'bye');
    }
    if (event.type === 'result') {
      const answer = this.pending.get(event.id);
      if (event.ok) {
        answer?.resolve(event.value);
      } else {
        answer?.reject(new Error(errorText(event.error)));
      }
    }
    this._told.emit(event);
  }

  private onKernel(): void {
    this.heard = '';
    this.forsake();
    this._lost.emit(this.kernel === null);
    this.greet();
  }

  private onConnection(_: ISessionContext, status: Kernel.ConnectionStatus): void {
    if (status === 'connected') {
      this.greet();
    }
  }

  /** Of a kernel that another page restarts, this one hears that it is starting at most, and not always that. */
  private onStatus(_: ISessionContext, status: Kernel.Status): void {
    // Lab also says so of a kernel that is to take the place of this one.
    const begins = status === 'starting' && this.kernel?.status === 'starting';
    if (begins || status === 'restarting' || status === 'autorestarting' || status === 'dead') {
      this.begunAnew();
    }
  }

  /** A restarted kernel keeps its id but has loaded nothing yet. */
  private begunAnew(): void {
    const id = this.kernel?.id;
    if (id) {
      this.memory.put(id, false);
    }
    this.ended = this.heard;
    this.forsake();
    this._lost.emit(true);
  }

  /** Once per connection, to a kernel that has the extension: after a reload of the page, or a lost network. */
  private greet(): void {
    const kernel = this.kernel;
    if (kernel && kernel.connectionStatus === 'connected' && this.memory.has(kernel.id)) {
      this.hello();
    }
  }

  private forsake(): void {
    for (const answer of this.pending.values()) {
      answer.reject(new Error('the kernel is gone'));
    }
    this.pending.clear();
  }

  /** Who told last, and whose late words count no more: each start of a kernel has a session of its own. */
  private heard = '';
  private ended = '';
  private readonly pending = new Map<string, PromiseDelegate<unknown>>();
  private readonly _told = new Signal<this, SandboxEvent>(this);
  private readonly _missed = new Signal<this, void>(this);
  private readonly _lost = new Signal<this, boolean>(this);
  private _isDisposed = false;
}
