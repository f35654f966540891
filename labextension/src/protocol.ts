/**
 * What travels between the kernel and the panel. The kernel's side of it stands in the Python views of the same
 * names; nothing here decides anything.
 */

/** Message type of requests on the control channel, answered while a cell is running. */
export const REQUEST = 'sandbox_request';
/** Message type of what the kernel tells on its iopub channel. */
export const EVENT = 'sandbox_event';

export type SandboxStatus =
  | 'starting'
  | 'running'
  | 'paused'
  | 'reloading'
  | 'stopping'
  | 'stopped'
  | 'crashed';

export type ProcessStatus = 'running' | 'waiting' | 'suspended' | 'restarting' | 'stopped' | 'exiting';

export interface Limits {
  readonly max_processes: number;
  readonly max_memory: number;
  readonly max_runtime: number;
  readonly max_mailbox: number;
}

export interface Counters {
  readonly process_spawns: number;
  readonly process_exits: number;
  readonly messages_sent: number;
  readonly supervisor_restarts: number;
  readonly processes: number;
  readonly steps: number;
  readonly longest_queue: number;
}

export interface Protection {
  readonly profile: string;
  /** What it opens by name. */
  readonly opened: readonly string[];
  readonly not_stopped: readonly string[];
}

export interface Info {
  readonly id: number;
  readonly name: string;
  readonly status: SandboxStatus;
  readonly reason: string;
  /** Another number means another OS process: steps and inspections of the one before are history. */
  readonly os_pid: number | null;
  readonly main: string | null;
  readonly limits: Limits;
  readonly protection: Protection | null;
  readonly protection_line?: string;
  /** Bytes. */
  readonly memory: number;
  readonly memory_peak: number;
  /** Seconds that its newest OS process has had. */
  readonly lived_s: number;
  readonly counters: Counters;
  readonly modules: readonly string[];
  readonly alerts: readonly string[];
}

export interface Process {
  readonly key: string;
  readonly pid: string | null;
  readonly name: string;
  readonly kind: string;
  readonly behaviour: string;
  readonly status: ProcessStatus;
  readonly parent: string | null;
  readonly registered: string | null;
  readonly state: string;
  readonly queue: number;
  readonly restarts: number;
  readonly steps: number;
  readonly strategy: string | null;
  readonly budget_left: number | null;
  readonly budget: number | null;
  readonly period_s: number | null;
  readonly links: readonly string[];
  readonly monitors: readonly string[];
  readonly last_exit: string | null;
  readonly code_version: number;
}

export interface Tree {
  readonly sandbox: string;
  readonly step: number;
  readonly now_ms: number;
  readonly processes: readonly Process[];
}

export interface TreeDiff {
  readonly sandbox: string;
  readonly step: number;
  readonly now_ms: number;
  readonly changed: readonly Process[];
  readonly removed: readonly string[];
  readonly order: readonly string[] | null;
}

export interface Step {
  readonly step: number;
  readonly pid: string;
  readonly name: string;
  readonly kind: string;
  readonly message: string;
  readonly sender: string;
  readonly state_before: string;
  readonly state_after: string;
  readonly did: readonly string[];
  readonly line: string;
}

export interface NodeEvent {
  readonly step: number;
  readonly kind: string;
  readonly name: string;
  readonly text: string;
}

export interface Inspection {
  readonly process: Process;
  readonly mailbox: readonly string[];
  readonly mailbox_omitted: number;
  readonly waiting_for: string;
  readonly links: readonly string[];
  readonly monitors: readonly string[];
  readonly monitored_by: readonly string[];
  readonly events: readonly NodeEvent[];
}

/** What is told of a sandbox when something changed: the alerts only when there are others than before. */
export type Facts = Omit<Info, 'alerts'> & Partial<Pick<Info, 'alerts'>>;

/**
 * Everything the kernel tells, in the order of `seq`. A tree with a pause comes in the place of changes that were too
 * many, and no other sooner than after so many seconds.
 */
export type SandboxEvent =
  | { seq: number; type: 'hello'; version: string; sandboxes: Info[]; trees: Record<string, Tree> }
  | { seq: number; type: 'sandbox'; info: Facts }
  | { seq: number; type: 'removed'; name: string; id: number }
  | { seq: number; type: 'tree'; name: string; tree: Tree; pause_s?: number }
  | { seq: number; type: 'diff'; name: string; diff: TreeDiff }
  | { seq: number; type: 'steps'; name: string; steps: Step[]; step: number }
  | { seq: number; type: 'alert'; name: string; limit: string; message: string; at: number }
  | { seq: number; type: 'notice'; name: string; level: string; text: string; process: string; traceback: string[] }
  | { seq: number; type: 'result'; id: string; ok: boolean; value?: unknown; error?: unknown }
  | { seq: number; type: 'bye' };

export type Verb =
  | 'hello'
  | 'pause'
  | 'resume'
  | 'step'
  | 'stop'
  | 'start'
  | 'restart'
  | 'destroy'
  | 'kill_process'
  | 'suspend_process'
  | 'unsuspend_process'
  | 'restart_process'
  | 'inspect'
  | 'snapshot'
  | 'tree';

export interface Request {
  readonly id: string;
  readonly verb: Verb;
  readonly sandbox: string | null;
  readonly args: Record<string, string | number>;
}

const TYPES = new Set(['hello', 'sandbox', 'removed', 'tree', 'diff', 'steps', 'alert', 'notice', 'result', 'bye']);

/** The event in a message's content, or null when it is none: a newer kernel may tell more than this panel knows. */
export function readEvent(content: unknown): SandboxEvent | null {
  const event = content as { type?: unknown; seq?: unknown } | null;
  if (!event || typeof event.type !== 'string' || typeof event.seq !== 'number' || !TYPES.has(event.type)) {
    return null;
  }
  return event as SandboxEvent;
}

/** What went wrong, on one line, from the error of a `result`. */
export function errorText(error: unknown): string {
  if (typeof error === 'string') {
    return error;
  }
  const message = (error as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : JSON.stringify(error);
}
