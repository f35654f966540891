/** What the sandbox uses of what it may use, as meters, and what protects the kernel from it. */
import type { TranslationBundle } from '@jupyterlab/translation';

import { h, say, set, show } from './dom';
import type { Info, Protection } from './protocol';
import { type Sandbox, ages, runtime } from './store';
import { duration, megabytes } from './words';

interface Use {
  readonly used: number;
  readonly limit: number;
  readonly text: string;
}

export class Limits {
  constructor(private readonly trans: TranslationBundle) {
    this.memory = new Meter(trans.__('Memory'));
    this.processes = new Meter(trans.__('Processes'));
    this.runtime = new Meter(trans.__('Run time'));
    this.queue = new Meter(trans.__('Longest queue'));
    this.profile = h('summary');
    this.protection = h('p', { class: 'jp-Sandbox-protection' });
    this.gaps = h('p', { class: 'jp-Sandbox-gaps' });
    const meters = h('div', { class: 'jp-Sandbox-meters' });
    meters.append(...[this.memory, this.processes, this.runtime, this.queue].map(meter => meter.node));
    const isolation = h('details', { class: 'jp-Sandbox-isolation' }, this.profile, this.protection, this.gaps);
    this.isolation = isolation;
    this.node = h('div', { class: 'jp-Sandbox-limits' }, meters, isolation);
  }

  update(sandbox: Sandbox, isolation: boolean): void {
    const { info } = this.sandbox = sandbox;
    const { limits, counters } = info;
    const of = (used: string, limit: string): string => this.of(used, limit);
    const count = (used: number, limit: number): Use => ({
      used, limit, text: of(used.toLocaleString(), limit.toLocaleString())
    });
    this.memory.update({
      used: info.memory, limit: limits.max_memory, text: of(megabytes(info.memory), megabytes(limits.max_memory))
    });
    this.processes.update(count(counters.processes, limits.max_processes));
    this.tick();
    this.queue.update(count(counters.longest_queue, limits.max_mailbox));
    this.protect(info, isolation);
  }

  /** Let the run time go on every second while somebody looks: the kernel tells it only when something changes. */
  beat(visible: boolean): void {
    const wanted = visible && this.sandbox !== null && ages(this.sandbox.info);
    if (wanted && !this.timer) {
      this.tick();
      this.timer = window.setInterval(() => this.tick(), 1000);
    } else if (!wanted && this.timer) {
      window.clearInterval(this.timer);
      this.timer = 0;
    }
  }

  private tick(): void {
    if (this.sandbox) {
      const limit = this.sandbox.info.limits.max_runtime / 1000;
      const used = runtime(this.sandbox, performance.now());
      this.runtime.update({ used, limit, text: this.of(duration(used), duration(limit)) });
    }
  }

  private of(used: string, limit: string): string {
    return this.trans.__('%1 of %2', used, limit);
  }

  private protect(info: Info, visible: boolean): void {
    const line = info.protection_line ?? info.protection?.profile ?? '';
    const gaps = info.protection?.not_stopped ?? [];
    show(this.isolation, visible && line !== '');
    say(this.profile, this.trans.__('Isolation: %1', info.protection ? level(info.protection) : line));
    say(this.protection, line);
    show(this.gaps, gaps.length > 0);
    say(this.gaps, this.trans.__('Not stopped: %1', gaps.join('; ')));
  }

  readonly node: HTMLElement;
  private sandbox: Sandbox | null = null;
  private timer = 0;
  private readonly memory: Meter;
  private readonly processes: Meter;
  private readonly runtime: Meter;
  private readonly queue: Meter;
  private readonly isolation: HTMLElement;
  private readonly profile: HTMLElement;
  private readonly protection: HTMLElement;
  private readonly gaps: HTMLElement;
}

/** One limit: its name, how much of it is used in words, and a bar. */
class Meter {
  constructor(name: string) {
    this.text = h('span', { class: 'jp-Sandbox-used' });
    this.fill = h('div', { class: 'jp-Sandbox-fill' });
    this.bar = h('div', { class: 'jp-Sandbox-bar', role: 'meter', 'aria-label': name, 'aria-valuemin': 0 }, this.fill);
    this.node = h('div', { class: 'jp-Sandbox-meter' }, h('span', {}, name), this.bar, this.text);
  }

  update({ used, limit, text }: Use): void {
    const share = limit > 0 ? Math.min(1, used / limit) : 0;
    say(this.text, text);
    set(this.bar, { 'aria-valuenow': Math.min(used, limit), 'aria-valuemax': limit, 'aria-valuetext': text });
    set(this.node, { 'data-tone': share >= 1 ? 'bad' : share >= 0.8 ? 'warn' : 'calm' });
    this.fill.style.width = `${(share * 100).toFixed(1)}%`;
  }

  readonly node: HTMLElement;
  private readonly text: HTMLElement;
  private readonly fill: HTMLElement;
  private readonly bar: HTMLElement;
}

/** The profile with what it opens, as `%sandbox list` shows it. */
function level({ profile, opened }: Protection): string {
  return opened.length > 0 ? `${profile} (${opened.join(', ')})` : profile;
}
