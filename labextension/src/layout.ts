/**
 * Tidy tree layout after Reingold and Tilford: parents centred over their children, subtrees packed by contour.
 * The same algorithm draws the static pictures in Python, so both show a tree the same way. Pure; positions depend
 * on the shape and order of the tree only, so a change of state moves nothing.
 */

/** Smallest distance between two neighbours of the same depth. */
export const GAP = 1;

export interface Position {
  /** Counts siblings: 0 is the first. */
  readonly across: number;
  /** Counts generations: 0 is a root. */
  readonly depth: number;
}

export interface Node {
  readonly key: string;
  readonly parent: string | null;
}

/** A laid-out subtree. Contours run from the deepest level to the root's, so a new root is a push. */
interface Branch {
  left: number[];
  right: number[];
}

export interface Families {
  readonly children: ReadonlyMap<string, readonly string[]>;
  readonly roots: readonly string[];
}

/** Positions of a forest, a parent before its children. A parent that is not in it makes its child a root. */
export function tidy(nodes: Iterable<Node>): Map<string, Position> {
  const { children, roots } = families(nodes);
  const offsets = new Map<string, number>();
  const branches = new Map<string, Branch>();
  for (const key of [...children.keys()].reverse()) {
    branches.set(key, grow(children.get(key) ?? [], branches, offsets));
  }
  grow(roots, branches, offsets);
  return absolute(children, roots, offsets);
}

export function families(nodes: Iterable<Node>): Families {
  const children = new Map<string, string[]>();
  const roots: string[] = [];
  for (const { key, parent } of nodes) {
    if (children.has(key)) {
      continue;
    }
    const siblings = parent === null || parent === key ? undefined : children.get(parent);
    children.set(key, []);
    (siblings ?? roots).push(key);
  }
  return { children, roots };
}

/** Place subtrees side by side, then a parent over their middle. Offsets are relative to that parent. */
function grow(keys: readonly string[], branches: Map<string, Branch>, offsets: Map<string, number>): Branch {
  let placed: Branch = { left: [], right: [] };
  const shifts: number[] = [];
  for (const key of keys) {
    const branch = branches.get(key) ?? { left: [0], right: [0] };
    branches.delete(key);
    const shift = distance(placed, branch);
    shifts.push(shift);
    placed = merge(placed, branch, shift);
  }
  const middle = ((shifts[0] ?? 0) + (shifts[shifts.length - 1] ?? 0)) / 2;
  keys.forEach((key, index) => offsets.set(key, (shifts[index] ?? 0) - middle));
  return crown(placed, middle);
}

function fromEnd(values: readonly number[], level: number): number {
  return values[values.length - level] ?? 0;
}

function distance(placed: Branch, branch: Branch): number {
  const levels = Math.min(placed.right.length, branch.left.length);
  let shift = 0;
  for (let level = 1; level <= levels; level++) {
    shift = Math.max(shift, fromEnd(placed.right, level) + GAP - fromEnd(branch.left, level));
  }
  return shift;
}

/** Contours of both together. Only the shared levels are touched, so a wide tree stays cheap. */
function merge(placed: Branch, branch: Branch, shift: number): Branch {
  const shared = Math.min(placed.left.length, branch.left.length);
  if (branch.left.length > placed.left.length) {
    const left = branch.left.map(value => value + shift);
    left.splice(left.length - shared, shared, ...placed.left);
    return { left, right: branch.right.map(value => value + shift) };
  }
  for (let level = 1; level <= shared; level++) {
    placed.right[placed.right.length - level] = fromEnd(branch.right, level) + shift;
  }
  return placed;
}

/** The contours seen from a new root that stands over `middle`. */
function crown(placed: Branch, middle: number): Branch {
  const left = middle ? placed.left.map(value => value - middle) : placed.left;
  const right = middle ? placed.right.map(value => value - middle) : placed.right;
  left.push(0);
  right.push(0);
  return { left, right };
}

function absolute(
  children: ReadonlyMap<string, readonly string[]>,
  roots: readonly string[],
  offsets: ReadonlyMap<string, number>
): Map<string, Position> {
  const positions = new Map<string, Position>();
  const stack = [...roots].reverse().map(key => ({ key, base: 0, depth: 0 }));
  let lowest = Infinity;
  for (let next = stack.pop(); next; next = stack.pop()) {
    const across = next.base + (offsets.get(next.key) ?? 0);
    lowest = Math.min(lowest, across);
    positions.set(next.key, { across, depth: next.depth });
    for (const child of [...(children.get(next.key) ?? [])].reverse()) {
      stack.push({ key: child, base: across, depth: next.depth + 1 });
    }
  }
  for (const [key, { across, depth }] of positions) {
    positions.set(key, { across: across - lowest, depth });
  }
  return positions;
}
