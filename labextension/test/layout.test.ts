import assert from 'node:assert/strict';
import { test } from 'node:test';

import { GAP, tidy } from '../src/layout';

function forest(pairs: [string, string | null][]): { key: string; parent: string | null }[] {
  return pairs.map(([key, parent]) => ({ key, parent }));
}

test('a parent stands over the middle of its children', () => {
  const at = tidy(forest([['a', null], ['b', 'a'], ['c', 'a']]));
  assert.deepEqual(at.get('a'), { across: 0.5, depth: 0 });
  assert.deepEqual(at.get('b'), { across: 0, depth: 1 });
  assert.deepEqual(at.get('c'), { across: 1, depth: 1 });
});

test('a child whose parent is not there is a root', () => {
  assert.deepEqual(tidy(forest([['b', 'gone']])).get('b'), { across: 0, depth: 0 });
});

test('neighbours of one depth are never closer than the gap, in the order given', () => {
  const pairs: [string, string | null][] = [['0', null]];
  let seed = 7;
  for (let index = 1; index < 400; index++) {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    pairs.push([String(index), String(seed % index)]);
  }
  const at = tidy(forest(pairs));
  const rows = new Map<number, number[]>();
  for (const { across, depth } of at.values()) {
    rows.set(depth, [...(rows.get(depth) ?? []), across]);
  }
  assert.equal(at.size, 400);
  for (const row of rows.values()) {
    const sorted = [...row].sort((one, other) => one - other);
    sorted.slice(1).forEach((value, index) => assert.ok(value - (sorted[index] ?? 0) >= GAP - 1e-9));
  }
});

test('processes are looked at a few times each, however many there are', () => {
  const looks = (count: number): number => {
    let seen = 0;
    const nodes = Array.from({ length: count }, (_, index) => ({
      get key(): string {
        seen += 1;
        return String(index);
      },
      get parent(): string | null {
        seen += 1;
        return index ? String(Math.floor((index - 1) / 6)) : null;
      }
    }));
    assert.equal(tidy(nodes).size, count);
    return seen / count;
  };
  const few = looks(50);
  assert.ok(few < 20);
  assert.ok(looks(5000) <= few + 1);
});
