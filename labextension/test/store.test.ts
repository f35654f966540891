import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Info, Process, SandboxEvent, Tree } from '../src/protocol';
import { EMPTY, type State, clearNotices, lose, miss, patch, reduce, remark, runtime, select } from '../src/store';

function info(name: string, id = 1): Info {
  return { id, name, status: 'running', memory: 0, lived_s: 0 } as unknown as Info;
}

function process(key: string, parent: string | null = null, state = '', queue = 0): Process {
  return { key, name: key, parent, state, queue } as unknown as Process;
}

function tree(...processes: Process[]): Tree {
  return { sandbox: 'shop', step: 1, now_ms: 0, processes };
}

function told(state: State, ...events: SandboxEvent[]): State {
  return events.reduce((before, event) => reduce(before, event), state);
}

const HELLO: SandboxEvent = {
  seq: 1,
  type: 'hello',
  version: '0.1.0',
  sandboxes: [info('shop')],
  trees: { shop: tree(process('shop'), process('shop/front', 'shop', '0')) }
};

test('hello tells everything and selects the newest sandbox', () => {
  const state = told(EMPTY, HELLO);
  assert.equal(state.connected, true);
  assert.equal(state.selected, 'shop');
  assert.equal(state.sandboxes.get('shop')?.tree?.processes.length, 2);
});

test('a diff changes, adds, removes and orders processes', () => {
  const before = tree(process('a'), process('b', 'a'), process('c', 'a'));
  const after = patch(before, {
    sandbox: 'shop', step: 2, now_ms: 5, changed: [process('b', 'a', '7'), process('d', 'a')], removed: ['c'],
    order: ['a', 'd', 'b']
  });
  assert.deepEqual(after.processes.map(one => one.key), ['a', 'd', 'b']);
  assert.equal(after.processes[2]?.state, '7');
});

test('a diff without a tree asks for the whole tree, once', () => {
  const diff = { sandbox: 'shop', step: 2, now_ms: 0, changed: [], removed: [], order: null };
  const state = told(
    EMPTY,
    { ...HELLO, trees: {} },
    { seq: 2, type: 'diff', name: 'shop', diff },
    { seq: 3, type: 'diff', name: 'shop', diff }
  );
  assert.deepEqual(state.wanted, ['shop']);
  assert.deepEqual(told(state, { seq: 4, type: 'tree', name: 'shop', tree: tree() }).wanted, []);
});

test('a tree in the place of many changes says for how long, until something comes by itself', () => {
  const diff = { sandbox: 'shop', step: 3, now_ms: 0, changed: [], removed: [], order: null };
  const state = told(EMPTY, HELLO, { seq: 2, type: 'tree', name: 'shop', tree: tree(process('shop')), pause_s: 4 });
  assert.equal(state.sandboxes.get('shop')?.pause, 4);
  assert.equal(told(state, { seq: 3, type: 'diff', name: 'shop', diff }).sandboxes.get('shop')?.pause, 0);
  assert.equal(told(state, { seq: 3, type: 'tree', name: 'shop', tree: tree() }).sandboxes.get('shop')?.pause, 0);
});

test('a gap in the numbers makes the picture stale until the next hello', () => {
  const state = told(EMPTY, HELLO, { seq: 5, type: 'sandbox', info: info('mill', 2) });
  assert.equal(state.stale, true);
  assert.equal(told(state, { ...HELLO, seq: 6 }).stale, false);
});

test('an event before any hello makes the picture stale: the extension is there', () => {
  assert.equal(told(EMPTY, { seq: 1, type: 'sandbox', info: info('shop') }).stale, true);
});

test('alerts stay as they were told when facts come without them', () => {
  const { alerts: _, ...facts } = info('shop');
  const over = told(EMPTY, HELLO, { seq: 2, type: 'sandbox', info: { ...info('shop'), alerts: ['over'] } });
  const later = told(over, { seq: 3, type: 'sandbox', info: { ...facts, memory: 7 } }).sandboxes.get('shop')?.info;
  assert.deepEqual([later?.alerts, later?.memory], [['over'], 7]);
  assert.deepEqual(told(EMPTY, HELLO, { seq: 2, type: 'sandbox', info: { ...facts, name: 'mill' } }).sandboxes.get('mill')?.info.alerts, []);
});

test('a removed sandbox hands the selection to the next one', () => {
  const two = told(EMPTY, HELLO, { seq: 2, type: 'sandbox', info: info('mill', 2) });
  assert.equal(select(two, 'mill').selected, 'mill');
  assert.equal(told(two, { seq: 3, type: 'removed', name: 'shop', id: 1 }).selected, 'mill');
});

test('a new sandbox of an old name starts without the old steps', () => {
  const steps: SandboxEvent = { seq: 2, type: 'steps', name: 'shop', steps: [{} as never], step: 1 };
  const stepped = told(EMPTY, HELLO, steps);
  assert.equal(told(stepped, { ...HELLO, seq: 3 }).sandboxes.get('shop')?.steps.length, 1);
  const again = { ...HELLO, seq: 3, sandboxes: [info('shop', 2)] };
  assert.equal(told(stepped, again).sandboxes.get('shop')?.steps.length, 0);
});

test('alerts and notices are kept per sandbox until they are cleared', () => {
  const state = told(
    EMPTY,
    HELLO,
    { seq: 2, type: 'alert', name: 'shop', limit: 'memory_limit', message: 'too much', at: 0 },
    { seq: 3, type: 'notice', name: 'shop', level: 'error', text: 'boom', process: 'front', traceback: ['line'] }
  );
  assert.deepEqual(state.sandboxes.get('shop')?.notices.map(one => one.title), ['memory_limit', 'front']);
  assert.equal(clearNotices(state, 'shop').sandboxes.get('shop')?.notices.length, 0);
});

test('the answer to a request, perhaps that of another page, changes nothing but the number', () => {
  const state = told(EMPTY, HELLO);
  const answered = told(state, { seq: 2, type: 'result', id: '1', ok: false, error: 'no such' });
  assert.deepEqual(answered, { ...state, seq: 2 });
});

test('bye forgets everything', () => {
  assert.deepEqual(told(EMPTY, HELLO, { seq: 2, type: 'bye' }), { ...EMPTY, seq: 2 });
});

const IDLE = { tone: 'calm', text: 'Nothing more to do.', at: { sandbox: 'shop', step: 7 } } as const;
const STANDING: SandboxEvent[] = [HELLO, { seq: 2, type: 'sandbox', info: { ...info('shop'), status: 'paused' } }];

function diff(step: number, ...changed: Process[]): SandboxEvent {
  return {
    seq: 3, type: 'diff', name: 'shop', diff: { sandbox: 'shop', step, now_ms: 0, changed, removed: [], order: null }
  };
}

test('that there is nothing to do stands as long as the sandbox stands at its step', () => {
  const state = remark(told(EMPTY, ...STANDING), IDLE);
  const late = diff(7, process('shop/front', 'shop', '1'));
  const memory: SandboxEvent = { seq: 3, type: 'sandbox', info: { ...info('shop'), status: 'paused', memory: 9 } };
  const other: SandboxEvent = { seq: 3, type: 'sandbox', info: info('mill', 2) };
  for (const event of [late, memory, other]) {
    assert.equal(told(state, event).remark, IDLE);
  }
});

test('a message, further steps, a resume, a hello and another selection end that there is nothing to do', () => {
  const state = remark(told(EMPTY, ...STANDING), IDLE);
  const news: SandboxEvent[] = [
    diff(7, process('shop/front', 'shop', '0', 1)),
    diff(8, process('shop/front', 'shop', '1')),
    { seq: 3, type: 'tree', name: 'shop', tree: { ...tree(process('shop')), step: 9 } },
    { seq: 3, type: 'steps', name: 'shop', steps: [], step: 8 },
    { seq: 3, type: 'sandbox', info: info('shop') },
    { seq: 3, type: 'removed', name: 'shop', id: 1 },
    HELLO
  ];
  for (const event of news) {
    assert.equal(told(state, event).remark, null, event.type);
  }
  assert.equal(select(state, 'shop').remark, null);
});

test('what went wrong stays until the next request', () => {
  const wrong = { tone: 'bad', text: 'step: no' } as const;
  const state = remark(told(EMPTY, ...STANDING), wrong);
  assert.equal(told(state, diff(8, process('shop/front', 'shop', '1')), HELLO).remark, wrong);
});

test('the run time goes on from when it was heard, in a pause too, and stands when the sandbox has ended', () => {
  const heard = reduce(told(EMPTY, HELLO), { seq: 2, type: 'sandbox', info: { ...info('shop'), lived_s: 60 } }, 5000);
  const shop = heard.sandboxes.get('shop');
  assert.ok(shop);
  assert.equal(runtime(shop, 5999), 60);
  assert.equal(runtime(shop, 8000), 63);
  assert.equal(runtime({ ...shop, info: { ...shop.info, status: 'paused' } }, 8000), 63);
  assert.equal(runtime({ ...shop, info: { ...shop.info, status: 'stopped' } }, 8000), 60);
});

test('a new sandbox is shown until the user has chosen one', () => {
  const seen = (state: State, name: string, id: number) =>
    told(state, { seq: state.seq + 1, type: 'sandbox', info: info(name, id) });
  let state = seen(told(EMPTY, HELLO), 'bank', 2);
  assert.equal(state.selected, 'bank');
  assert.equal(seen(state, 'shop', 1).selected, 'bank', 'news of an old one is no reason to show it');
  state = select(state, 'shop');
  assert.equal(seen(state, 'third', 3).selected, 'shop');
  state = told(state, { seq: state.seq + 1, type: 'removed', name: 'shop', id: 1 });
  assert.equal(state.selected, 'bank', 'the chosen one is gone');
  assert.equal(seen(state, 'fourth', 4).selected, 'fourth');
});

test('steps of an OS process that was replaced are not shown among those of its heir', () => {
  const as = (os_pid: number | null): Info => ({ ...info('shop'), os_pid });
  const steps: SandboxEvent = { seq: 3, type: 'steps', name: 'shop', steps: [{} as never], step: 1 };
  const stepped = told(EMPTY, HELLO, { seq: 2, type: 'sandbox', info: as(7) }, steps);
  const kept = (state: State): number | undefined => state.sandboxes.get('shop')?.steps.length;
  assert.equal(kept(told(stepped, { seq: 4, type: 'sandbox', info: as(7) })), 1);
  assert.equal(kept(told(stepped, { seq: 4, type: 'sandbox', info: as(null) })), 1);
  const gone = told(stepped, { seq: 4, type: 'sandbox', info: as(null) });
  assert.equal(kept(told(gone, { seq: 5, type: 'sandbox', info: as(8) })), 0);
  assert.equal(kept(told(stepped, { seq: 4, type: 'sandbox', info: as(8) })), 0);
  assert.equal(kept(told(stepped, { ...HELLO, seq: 4, sandboxes: [as(8)] })), 0);
});

test('a kernel that ended with sandboxes in it is remembered until the next hello', () => {
  const state = told(EMPTY, HELLO);
  assert.equal(lose(state, false).lost, false);
  assert.equal(lose(EMPTY, true).lost, false);
  const lost = lose(lose(state, true), true);
  assert.deepEqual(lost, { ...EMPTY, lost: true });
  assert.equal(told(lost, HELLO).lost, false);
});

test('what the server left out makes stale what is known until everything is told again', () => {
  assert.equal(miss(EMPTY), EMPTY);
  const missed = miss(told(EMPTY, HELLO));
  assert.equal(missed.stale, true);
  assert.equal(miss(missed), missed);
  assert.equal(told(missed, HELLO).stale, false);
});
