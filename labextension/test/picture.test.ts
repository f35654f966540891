import assert from 'node:assert/strict';
import { test } from 'node:test';

import { move, picture, spotAt } from '../src/picture';
import type { Process } from '../src/protocol';

function process(key: string, parent: string | null = null, state = ''): Process {
  return { key, name: key, parent, state, pid: '<0.1.0>' } as unknown as Process;
}

const SHOP = [process('shop'), process('front', 'shop'), process('stock', 'shop'), process('shelf', 'stock')];
const NONE = new Set<string>();
const measure = (): number => 60;

test('a wide panel gets a tidy tree, a narrow one an outline with one line each', () => {
  assert.equal(picture(SHOP, NONE, measure, 900).shape, 'tidy');
  const narrow = picture(SHOP, NONE, measure, 250);
  assert.equal(narrow.shape, 'outline');
  assert.deepEqual(narrow.spots.map(spot => spot.process.key), ['shop', 'front', 'stock', 'shelf']);
  assert.equal(narrow.height - (narrow.spots[3]?.y ?? 0), narrow.row / 2);
});

test('a change of state moves nothing', () => {
  const places = (processes: Process[], available: number): number[][] =>
    picture(processes, NONE, measure, available).spots.map(spot => [spot.x, spot.y, spot.room]);
  const changed = SHOP.map(one => ({ ...one, state: 'x'.repeat(500), queue: 99 }));
  assert.deepEqual(places(SHOP, 900), places(changed, 900));
  assert.deepEqual(places(SHOP, 250), places(changed, 250));
});

test('a folded process counts what it hides', () => {
  const folded = picture(SHOP, new Set(['shop']), measure, 250);
  assert.equal(folded.spots.length, 1);
  assert.equal(folded.spots[0]?.hidden, 3);
  assert.equal(folded.spots[0]?.expanded, false);
});

test('the arrow keys walk the tree as in any tree of the desktop', () => {
  const drawn = picture(SHOP, NONE, measure, 250);
  assert.deepEqual(move(drawn, null, 'ArrowDown'), { to: 'shop' });
  assert.deepEqual(move(drawn, 'front', 'ArrowDown'), { to: 'stock' });
  assert.deepEqual(move(drawn, 'shelf', 'ArrowLeft'), { to: 'stock' });
  assert.deepEqual(move(drawn, 'stock', 'ArrowLeft'), { fold: 'stock' });
  assert.deepEqual(move(drawn, 'stock', 'ArrowRight'), { to: 'shelf' });
  assert.deepEqual(move(drawn, 'shop', 'End'), { to: 'shelf' });
  assert.deepEqual(move(drawn, 'front', 's'), { to: 'stock' });
  assert.equal(move(drawn, 'shelf', 'ArrowDown'), null);
  const folded = picture(SHOP, new Set(['stock']), measure, 250);
  assert.deepEqual(move(folded, 'stock', 'ArrowRight'), { unfold: 'stock' });
});

test('a point finds the process whose glyph or label is there', () => {
  const drawn = picture(SHOP, NONE, measure, 250);
  const front = drawn.spots[1];
  assert.ok(front);
  assert.equal(spotAt(drawn, front.x + 20, front.y)?.process.key, 'front');
  assert.equal(spotAt(drawn, front.x, 1000), null);
});
