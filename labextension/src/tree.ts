/** The live tree: a canvas that draws the window in sight, with its twin for keyboards and screen readers. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { type ISignal, Signal } from '@lumino/signaling';

import { type Label, type Stroke, Widths, detailFont, draw, nameFont, palette } from './brush';
import { h } from './dom';
import { LABEL, NOTHING, type Picture, type Spot, move, picture, spotAt } from './picture';
import type { Process, Tree } from './protocol';
import { Twin } from './twin';
import { detail, spoken } from './words';

/** How long a process that has restarted glows. */
const FLASH_MS = 1200;

export class TreeView {
  constructor(private readonly trans: TranslationBundle) {
    this.twin = new Twin(trans);
    this.canvas = h('canvas', { 'aria-hidden': 'true' });
    this.widths = new Widths(this.canvas);
    this.space = h('div', { class: 'jp-Sandbox-treeSpace' });
    this.node = h('div', { class: 'jp-Sandbox-tree' }, this.canvas, this.space, this.twin.node);
    this.node.addEventListener('scroll', () => this.schedule());
    this.node.addEventListener('pointerdown', event => this.onPress(event));
    this.node.addEventListener('pointermove', event => this.onHover(this.under(event)));
    this.node.addEventListener('pointerleave', () => this.onHover(null));
    this.node.addEventListener('dblclick', event => this.onDouble(event));
    this.twin.node.addEventListener('keydown', event => this.onKey(event));
    this.twin.node.addEventListener('focus', () => this.onFocus());
    this.twin.node.addEventListener('blur', () => this.schedule());
    new ResizeObserver(() => this.onResize()).observe(this.node);
  }

  /** The user picked a process. */
  get picked(): ISignal<this, string> {
    return this._picked;
  }

  /** Draw a tree; another sandbox's starts unfolded and unscrolled. */
  update(tree: Tree | null, selected: string | null): void {
    if (tree?.sandbox !== this.tree?.sandbox) {
      this.collapsed.clear();
      this.restarts.clear();
      this.active = null;
      this.node.scrollTo(0, 0);
      this.home = 0;
    }
    this.selected = selected;
    if (tree !== this.tree) {
      this.tree = tree;
      this.watchRestarts(tree?.processes ?? []);
      this.shape();
    }
    this.twin.update(this.drawn, this.active, this.selected);
    this.schedule();
  }

  /** Take the keyboard, if there is a tree to see. */
  focus(): boolean {
    this.twin.node.focus({ preventScroll: true });
    return document.activeElement === this.twin.node;
  }

  /** Draw again soon, in the colours of now. */
  schedule(): void {
    if (!this.frame) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.paint();
      });
    }
  }

  private shape(): void {
    const atHome = Math.abs(this.node.scrollTop - this.home) <= 1;
    const colours = palette(this.node);
    const [large, small] = [nameFont(colours), detailFont(colours)];
    const measure = (process: Process): number => {
      const named = this.widths.of(large, process.name);
      return process.strategy ? Math.max(named, this.widths.of(small, detail(process))) : named;
    };
    this.laidOut = this.node.clientWidth;
    this.drawn = this.tree ? picture(this.tree.processes, this.collapsed, measure, this.laidOut) : NOTHING;
    this.node.dataset.shape = this.drawn.shape;
    this.space.style.width = `${this.drawn.width}px`;
    this.space.style.height = `${this.drawn.height}px`;
    this.node.style.setProperty('--jp-sandbox-tree-height', `${this.drawn.height + 8}px`);
    if (this.active !== null && !this.drawn.index.has(this.active)) {
      this.active = null;
    }
    if (atHome) {
      this.goHome();
    }
  }

  /** Until the user scrolls, the first root stays in sight: a tidy tree has it halfway down its children. */
  private goHome(): void {
    const { clientHeight } = this.node;
    const [root] = this.drawn.spots;
    if (root && clientHeight) {
      this.node.scrollTop = Math.max(0, root.y - clientHeight / 2);
      this.home = this.node.scrollTop;
    }
  }

  private onResize(): void {
    if (this.node.clientWidth !== this.laidOut && this.node.clientWidth) {
      this.shape();
    }
    this.schedule();
  }

  private paint(): void {
    const context = this.canvas.getContext('2d');
    const { clientWidth: width, clientHeight: height, scrollLeft: left, scrollTop: top } = this.node;
    if (!context || !width || !height) {
      return;
    }
    const scale = window.devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    const now = performance.now();
    this.forgetFlashes(now);
    const stroke: Stroke = {
      context,
      palette: palette(this.node),
      label: spot => labelOf(spot.process, spot.hidden),
      selected: this.selected,
      hover: this.hover,
      focus: document.activeElement === this.twin.node ? this.active : null,
      flash: key => this.glow(key, now)
    };
    draw(stroke, this.drawn, { left, top, width, height });
    if (this.flashes.size) {
      this.schedule();
    }
  }

  /** Remember who has restarted since the last picture. */
  private watchRestarts(processes: readonly Process[]): void {
    const calm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
    for (const process of processes) {
      const before = this.restarts.get(process.key);
      if (before !== undefined && process.restarts > before && !calm) {
        this.flashes.set(process.key, performance.now());
      }
      this.restarts.set(process.key, process.restarts);
    }
  }

  private glow(key: string, now: number): number {
    const since = this.flashes.get(key);
    return since === undefined ? 0 : Math.max(0, 1 - (now - since) / FLASH_MS);
  }

  private forgetFlashes(now: number): void {
    for (const [key, since] of this.flashes) {
      if (now - since > FLASH_MS) {
        this.flashes.delete(key);
      }
    }
  }

  private under(event: MouseEvent): Spot | null {
    const box = this.node.getBoundingClientRect();
    const x = event.clientX - box.left + this.node.scrollLeft;
    const y = event.clientY - box.top + this.node.scrollTop;
    return spotAt(this.drawn, x, y);
  }

  private onPress(event: PointerEvent): void {
    const spot = this.under(event);
    if (spot) {
      // The twin takes the focus itself: the press would put it on nothing.
      event.preventDefault();
      this.active = spot.process.key;
      this.twin.node.focus({ preventScroll: true });
      this._picked.emit(spot.process.key);
    }
  }

  private onDouble(event: MouseEvent): void {
    const spot = this.under(event);
    if (spot && spot.expanded !== null) {
      this.fold(spot.process.key, spot.expanded);
    }
  }

  private onHover(spot: Spot | null): void {
    const key = spot?.process.key ?? null;
    if (key !== this.hover) {
      this.hover = key;
      this.node.title = spot ? spoken(spot.process, this.trans) : '';
      this.schedule();
    }
  }

  private onFocus(): void {
    if (this.active === null) {
      this.activate(this.selected ?? this.drawn.spots[0]?.process.key ?? null);
    }
    this.schedule();
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if ((event.key === 'Enter' || event.key === ' ') && this.active !== null) {
      event.preventDefault();
      this._picked.emit(this.active);
      return;
    }
    const step = move(this.drawn, this.active, event.key);
    if (!step) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    if ('to' in step) {
      this.activate(step.to);
    } else {
      this.fold('fold' in step ? step.fold : step.unfold, 'fold' in step);
    }
  }

  private fold(key: string, close: boolean): void {
    if (close) {
      this.collapsed.add(key);
    } else {
      this.collapsed.delete(key);
    }
    this.shape();
    this.activate(this.active ?? key);
  }

  /** Move the keyboard to a process, and bring it into sight. */
  private activate(key: string | null): void {
    this.active = key;
    const spot = key === null ? undefined : this.drawn.spots[this.drawn.index.get(key) ?? -1];
    if (spot) {
      const { scrollTop, clientHeight, scrollLeft, clientWidth } = this.node;
      const { row } = this.drawn;
      const top = Math.min(spot.y - row / 2, Math.max(scrollTop, spot.y + row / 2 - clientHeight));
      const left = Math.min(spot.x - 12, Math.max(scrollLeft, spot.x + LABEL + spot.room - clientWidth));
      this.node.scrollTo(Math.max(0, left), Math.max(0, top));
    }
    this.twin.update(this.drawn, this.active, this.selected);
    this.schedule();
  }

  readonly node: HTMLElement;
  private readonly canvas: HTMLCanvasElement;
  private readonly widths: Widths;
  private readonly space: HTMLElement;
  private readonly twin: Twin;
  private tree: Tree | null = null;
  private drawn: Picture = NOTHING;
  private selected: string | null = null;
  private active: string | null = null;
  private hover: string | null = null;
  private frame = 0;
  private laidOut = 0;
  /** Where the scroll bar was put; elsewhere, the user has moved it. */
  private home = 0;
  private readonly collapsed = new Set<string>();
  private readonly restarts = new Map<string, number>();
  private readonly flashes = new Map<string, number>();
  private readonly _picked = new Signal<this, string>(this);
}

function labelOf(process: Process, hidden: number): Label {
  const marks = [
    hidden ? `+${hidden}` : '',
    process.queue ? `✉${process.queue}` : '',
    process.restarts ? `↻${process.restarts}` : ''
  ];
  return { name: process.name, detail: detail(process), marks: marks.filter(Boolean).join(' ') };
}
