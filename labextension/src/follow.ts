/** Follows the notebook or console the user is in: one session each, and which of them is looked at. */
import type { ISessionContext } from '@jupyterlab/apputils';
import { type ISignal, Signal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';

import type { Memory } from './memory';
import { SandboxSession } from './session';

/** The part of a notebook or console panel that matters here. */
export type Page = Widget & { readonly sessionContext: ISessionContext };

/** On the element of each page, the id of its kernel or nothing: a live picture in a cell is of one kernel. */
const KERNEL = 'data-jupyter-sandbox-kernel';

/** The part of a widget tracker that matters here. */
export interface Pages {
  readonly currentWidget: Page | null;
  readonly currentChanged: ISignal<unknown, Page | null>;
  readonly widgetAdded: ISignal<unknown, Page>;
  forEach(fn: (page: Page) => void): void;
}

function mark(page: Page): void {
  page.node.setAttribute(KERNEL, page.sessionContext.session?.kernel?.id ?? '');
}

export class Follower {
  constructor(
    trackers: readonly Pages[],
    private readonly memory: Memory
  ) {
    for (const tracker of trackers) {
      tracker.forEach(page => this.add(page));
      tracker.widgetAdded.connect((_, page) => this.add(page));
      tracker.currentChanged.connect((_, page) => this.show(page ?? this.other(trackers)));
    }
    this.show(this.other(trackers));
  }

  /** The page that is followed, and its session. */
  get page(): Page | null {
    return this._page;
  }

  get session(): SandboxSession | null {
    return this._page ? (this.sessions.get(this._page) ?? null) : null;
  }

  /** Another page is followed, or the followed session has something new. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  private other(trackers: readonly Pages[]): Page | null {
    return trackers.map(tracker => tracker.currentWidget).find(page => page && !page.isDisposed) ?? null;
  }

  private add(page: Page): void {
    if (this.sessions.has(page)) {
      return;
    }
    const session = new SandboxSession(page.sessionContext, this.memory);
    this.sessions.set(page, session);
    mark(page);
    page.sessionContext.kernelChanged.connect(() => mark(page));
    session.changed.connect(() => this.session === session && this._changed.emit());
    page.title.changed.connect(() => this._page === page && this._changed.emit());
    page.disposed.connect(() => {
      session.dispose();
      this.sessions.delete(page);
    });
  }

  private show(page: Page | null): void {
    if (page) {
      this.add(page);
    }
    if (page !== this._page) {
      this._page = page;
      this._changed.emit();
    }
  }

  private readonly sessions = new Map<Page, SandboxSession>();
  private _page: Page | null = null;
  private readonly _changed = new Signal<this, void>(this);
}
