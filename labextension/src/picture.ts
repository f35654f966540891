/**
 * Where everything of a tree stands, in CSS pixels. A tidy tree where there is room for it: generations from left to
 * right, siblings from top to bottom. In a narrow panel an outline: one line each, indented. Pure; measuring text is
 * passed in. Widths follow names only, never states: a tree that changes its mind must not move.
 */
import { families, tidy } from './layout';
import type { Process } from './protocol';

/** Radius of a glyph. */
export const RADIUS = 6;
/** From the middle of a glyph to its label. */
export const LABEL = 13;
const MARGIN = 12;
const TOP = 4;
/** Height of one process in a tidy tree, where a second line says what it is doing, and in an outline. */
const TALL = 36;
const FLAT = 24;
/** Between a label and the next generation; and how far an outline is indented by each. */
const SPACE = 30;
const INDENT = 18;
const NARROWEST = 84;
const WIDEST = 180;

export interface Spot {
  readonly process: Process;
  readonly x: number;
  readonly y: number;
  /** Widest the label may get. */
  readonly room: number;
  /** Counted from 1, as ARIA does. */
  readonly level: number;
  readonly place: number;
  readonly siblings: number;
  readonly parent: string | null;
  /** Null when it has no children. */
  readonly expanded: boolean | null;
  /** Processes below it that are not drawn. */
  readonly hidden: number;
}

export interface Picture {
  readonly shape: 'tidy' | 'outline';
  /** Height of one process. */
  readonly row: number;
  /** In the order of reading: a parent, then its children. */
  readonly spots: readonly Spot[];
  readonly index: ReadonlyMap<string, number>;
  readonly width: number;
  readonly height: number;
}

export const NOTHING: Picture = { shape: 'outline', row: FLAT, spots: [], index: new Map(), width: 0, height: 0 };

/** Width of what does not change about a process: its name, its strategy. */
export type Measure = (process: Process) => number;

/** Only the process, and where it belongs: everything but its place on the canvas. */
type Seat = Omit<Spot, 'x' | 'y' | 'room'>;

export function picture(
  processes: readonly Process[],
  collapsed: ReadonlySet<string>,
  measure: Measure,
  available: number
): Picture {
  const seats = seated(processes, collapsed);
  const columns = generations(seats, measure);
  const wide = MARGIN + RADIUS + sum(columns, columns.length) - SPACE + MARGIN <= available;
  const spots = wide ? tidySpots(seats, columns, available) : outlineSpots(seats, measure, available);
  const row = wide ? TALL : FLAT;
  return {
    shape: wide ? 'tidy' : 'outline',
    row,
    spots,
    index: new Map(spots.map((spot, index) => [spot.process.key, index])),
    width: Math.max(0, ...spots.map(spot => spot.x + LABEL + spot.room)),
    height: spots.reduce((most, spot) => Math.max(most, spot.y + row / 2), 0)
  };
}

function tidySpots(seats: readonly Seat[], columns: readonly number[], available: number): Spot[] {
  const positions = tidy(seats.map(({ process, parent }) => ({ key: process.key, parent })));
  return seats.map(seat => {
    const { across, depth } = positions.get(seat.process.key) ?? { across: 0, depth: 0 };
    const x = MARGIN + RADIUS + sum(columns, depth);
    // The last generation has nobody on its right, so its states may be long.
    const last = depth === columns.length - 1;
    const room = last ? available - MARGIN / 2 - x - LABEL : (columns[depth] ?? 0) - SPACE - LABEL;
    return { ...seat, x, y: TOP + TALL / 2 + across * TALL, room };
  });
}

function outlineSpots(seats: readonly Seat[], measure: Measure, available: number): Spot[] {
  return seats.map((seat, index) => {
    const x = MARGIN + RADIUS + (seat.level - 1) * INDENT;
    const room = Math.max(available - MARGIN / 2 - x - LABEL, Math.min(WIDEST, measure(seat.process)));
    return { ...seat, x, y: TOP + FLAT / 2 + index * FLAT, room };
  });
}

function seated(processes: readonly Process[], collapsed: ReadonlySet<string>): Seat[] {
  const all = families(processes);
  const byKey = new Map(processes.map(process => [process.key, process]));
  return reading(all.children, all.roots, collapsed).flatMap(({ key, level, place, siblings, parent }) => {
    const process = byKey.get(key);
    const below = all.children.get(key) ?? [];
    const closed = below.length > 0 && collapsed.has(key);
    const expanded = below.length ? !closed : null;
    return process
      ? [{ process, level, place, siblings, parent, expanded, hidden: closed ? count(all.children, key) : 0 }]
      : [];
  });
}

interface Line {
  readonly key: string;
  readonly level: number;
  readonly parent: string | null;
  readonly place: number;
  readonly siblings: number;
}

type Children = ReadonlyMap<string, readonly string[]>;

function reading(children: Children, roots: readonly string[], collapsed: ReadonlySet<string>): Line[] {
  const lines: Line[] = [];
  const stack: Line[] = family(roots, null, 1);
  for (let next = stack.pop(); next; next = stack.pop()) {
    lines.push(next);
    if (!collapsed.has(next.key)) {
      stack.push(...family(children.get(next.key) ?? [], next.key, next.level + 1));
    }
  }
  return lines;
}

function family(keys: readonly string[], parent: string | null, level: number): Line[] {
  return keys.map((key, index) => ({ key, level, parent, place: index + 1, siblings: keys.length })).reverse();
}

function count(children: Children, key: string): number {
  let total = 0;
  const stack = [...(children.get(key) ?? [])];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    total += 1;
    stack.push(...(children.get(next) ?? []));
  }
  return total;
}

/** One width per generation: what its longest name needs, within reason, and the space to the next. */
function generations(seats: readonly Seat[], measure: Measure): number[] {
  const columns: number[] = [];
  for (const { process, level } of seats) {
    const needed = LABEL + Math.min(WIDEST, Math.max(NARROWEST, measure(process))) + SPACE;
    columns[level - 1] = Math.max(columns[level - 1] ?? 0, needed);
  }
  return columns;
}

function sum(values: readonly number[], end: number): number {
  let total = 0;
  for (let index = 0; index < end; index++) {
    total += values[index] ?? 0;
  }
  return total;
}

/** The process at a point: its glyph or its label. */
export function spotAt(drawn: Picture, x: number, y: number): Spot | null {
  return (
    drawn.spots.find(
      spot => Math.abs(spot.y - y) <= drawn.row / 2 && x >= spot.x - RADIUS - 4 && x <= spot.x + LABEL + spot.room
    ) ?? null
  );
}

/** The key that an arrow key leads to, or an order to fold or unfold. */
export type Move = { to: string } | { fold: string } | { unfold: string } | null;

export function move(drawn: Picture, active: string | null, key: string): Move {
  const { spots, index } = drawn;
  const at = active === null ? undefined : index.get(active);
  const spot = at === undefined ? undefined : spots[at];
  const to = (target: Spot | undefined): Move => (target ? { to: target.process.key } : null);
  if (at === undefined || !spot) {
    return to(spots[0]);
  }
  switch (key) {
    case 'ArrowDown':
      return to(spots[at + 1]);
    case 'ArrowUp':
      return to(spots[at - 1]);
    case 'Home':
      return to(spots[0]);
    case 'End':
      return to(spots[spots.length - 1]);
    case 'ArrowRight':
      return spot.expanded === false ? { unfold: spot.process.key } : spot.expanded ? to(spots[at + 1]) : null;
    case 'ArrowLeft':
      return spot.expanded ? { fold: spot.process.key } : spot.parent === null ? null : { to: spot.parent };
    default:
      return letter(drawn, at, key);
  }
}

/** The next process whose name begins with the letter typed. */
function letter(drawn: Picture, at: number, key: string): Move {
  if (key.length !== 1) {
    return null;
  }
  const after = [...drawn.spots.slice(at + 1), ...drawn.spots.slice(0, at)];
  const found = after.find(spot => spot.process.name.toLowerCase().startsWith(key.toLowerCase()));
  return found ? { to: found.process.key } : null;
}
