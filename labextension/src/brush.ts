/** Draws a picture of a tree on a canvas. Knows colours only by the names of the style sheet's variables. */
import { LABEL, type Picture, RADIUS, type Spot } from './picture';
import type { ProcessStatus } from './protocol';

/** What is written beside a glyph. */
export interface Label {
  readonly name: string;
  readonly detail: string;
  /** What deserves attention: a queue, restarts, hidden children. */
  readonly marks: string;
}

export interface Palette {
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly selected: string;
  readonly hover: string;
  readonly focus: string;
  readonly surface: string;
  readonly flash: string;
  readonly good: string;
  readonly calm: string;
  readonly warn: string;
  readonly bad: string;
  readonly off: string;
  readonly font: string;
  /** CSS pixels of the panel's text. */
  readonly size: number;
}

/** The palette in force: the theme's, through the variables of the style sheet. */
export function palette(element: Element): Palette {
  const style = getComputedStyle(element);
  const read = (name: string): string => style.getPropertyValue(`--jp-sandbox-${name}`).trim() || style.color;
  return {
    text: read('text'), muted: read('muted'), line: read('line'), selected: read('selected'), hover: read('hover'),
    focus: read('focus'), surface: read('surface'), flash: read('flash'), good: read('good'), calm: read('calm'),
    warn: read('warn'), bad: read('bad'), off: read('off'), font: style.fontFamily,
    size: parseFloat(style.fontSize)
  };
}

export interface Stroke {
  readonly context: CanvasRenderingContext2D;
  readonly palette: Palette;
  readonly label: (spot: Spot) => Label;
  readonly selected: string | null;
  readonly hover: string | null;
  /** The process the keyboard is at, while the tree has the focus. */
  readonly focus: string | null;
  /** How strongly a process that has just restarted glows, 0 to 1. */
  readonly flash: (key: string) => number;
}

export interface Window {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export function nameFont(palette: Palette): string {
  return `500 ${palette.size * 0.92}px ${palette.font}`;
}

export function detailFont(palette: Palette): string {
  return `${palette.size * 0.85}px ${palette.font}`;
}

/** Most texts whose widths are kept, of each font. */
const MOST_WIDTHS = 50_000;

/** Widths of texts, measured once: of a tree of thousands that is most of the work, and names hardly change. */
export class Widths {
  constructor(private readonly canvas: HTMLCanvasElement) {}

  of(font: string, text: string): number {
    const known = this.known.get(font) ?? new Map<string, number>();
    const width = known.get(text) ?? this.measure(font, text);
    if (known.size >= MOST_WIDTHS) {
      known.clear();
    }
    this.known.set(font, known.set(text, width));
    return width;
  }

  private measure(font: string, text: string): number {
    const context = this.canvas.getContext('2d');
    if (!context) {
      return 0;
    }
    context.font = font;
    return context.measureText(text).width + 2;
  }

  private readonly known = new Map<string, Map<string, number>>();
}

/** Draw what lies in the window; the rest costs nothing. */
export function draw(stroke: Stroke, drawn: Picture, view: Window): void {
  const { context } = stroke;
  context.clearRect(0, 0, view.width, view.height);
  context.save();
  context.translate(-view.left, -view.top);
  const { row, spots } = drawn;
  edges(stroke, drawn, view);
  for (const spot of spots) {
    if (spot.y > view.top - row && spot.y < view.top + view.height + row) {
      node(stroke, drawn, spot);
    }
  }
  context.restore();
}

/** A line from each process to its supervisor, if any of it is in sight. */
function edges({ context, palette }: Stroke, drawn: Picture, view: Window): void {
  context.strokeStyle = palette.line;
  context.lineWidth = 1;
  context.beginPath();
  for (const spot of drawn.spots) {
    const above = spot.parent === null ? undefined : drawn.spots[drawn.index.get(spot.parent) ?? -1];
    if (!above || Math.max(spot.y, above.y) < view.top || Math.min(spot.y, above.y) > view.top + view.height) {
      continue;
    }
    (drawn.shape === 'tidy' ? elbow : rail)(context, above, spot);
  }
  context.stroke();
}

/** From the end of the parent's label, rounded so that the eye can follow it. */
function elbow(context: CanvasRenderingContext2D, above: Spot, spot: Spot): void {
  const turn = spot.x - 18;
  const bend = Math.min(6, Math.abs(spot.y - above.y) / 2) * Math.sign(spot.y - above.y);
  context.moveTo(above.x + LABEL + above.room + 2, above.y);
  context.lineTo(turn - Math.abs(bend), above.y);
  context.quadraticCurveTo(turn, above.y, turn, above.y + bend);
  context.lineTo(turn, spot.y - bend);
  context.quadraticCurveTo(turn, spot.y, turn + Math.abs(bend), spot.y);
  context.lineTo(spot.x - RADIUS - 3, spot.y);
}

/** Down from the parent's glyph, then to the right. */
function rail(context: CanvasRenderingContext2D, above: Spot, spot: Spot): void {
  const x = Math.round(above.x) + 0.5;
  const y = Math.round(spot.y) + 0.5;
  context.moveTo(x, above.y + RADIUS + 4);
  context.lineTo(x, y - 4);
  context.quadraticCurveTo(x, y, x + 4, y);
  context.lineTo(spot.x - RADIUS - 3, y);
}

function node(stroke: Stroke, drawn: Picture, spot: Spot): void {
  const { context, palette } = stroke;
  const key = spot.process.key;
  const top = spot.y - drawn.row / 2 + 1;
  const box = [spot.x - RADIUS - 4, top, RADIUS + 4 + LABEL + spot.room + 2, drawn.row - 2] as const;
  if (stroke.selected === key || stroke.hover === key) {
    context.fillStyle = stroke.selected === key ? palette.selected : palette.hover;
    rounded(context, ...box);
    context.fill();
  }
  if (stroke.focus === key) {
    context.strokeStyle = palette.focus;
    context.lineWidth = 2;
    rounded(context, ...box);
    context.stroke();
  }
  const glow = stroke.flash(key);
  if (glow > 0) {
    context.globalAlpha = glow;
    context.strokeStyle = palette.flash;
    context.lineWidth = 3;
    circle(context, spot.x, spot.y, RADIUS + 3);
    context.stroke();
    context.globalAlpha = 1;
  }
  glyph(context, palette, spot.process.status, spot.x, spot.y);
  text(stroke, drawn, spot);
}

/** Name and marks; what it is doing below them, or behind them in an outline. */
function text(stroke: Stroke, drawn: Picture, spot: Spot): void {
  const { context, palette } = stroke;
  const { name, detail, marks } = stroke.label(spot);
  const { key } = spot.process;
  const quiet = stroke.selected === key || stroke.hover === key ? palette.text : palette.muted; // on a darker ground
  const left = spot.x + LABEL;
  const two = drawn.shape === 'tidy' && detail !== '';
  const line = two ? spot.y - 7 : spot.y + 0.5;
  context.textBaseline = 'middle';
  context.font = detailFont(palette);
  const marked = marks ? context.measureText(marks).width + 8 : 0;
  context.font = nameFont(palette);
  context.fillStyle = spot.process.pid === null ? palette.muted : palette.text;
  const named = cut(context, name, spot.room - marked);
  context.fillText(named, left, line);
  const behind = context.measureText(named).width + 8;
  context.font = detailFont(palette);
  if (marks) {
    context.fillText(marks, drawn.shape === 'tidy' ? left + behind : left + spot.room - marked + 4, line);
  }
  context.fillStyle = quiet;
  if (two) {
    context.fillText(cut(context, detail, spot.room), left, spot.y + 8);
  } else if (detail && spot.room - marked - behind > 24) {
    context.fillText(cut(context, detail, spot.room - marked - behind), left + behind, line);
  }
}

/** As much of a text as fits, with an ellipsis where it was cut. */
function cut(context: CanvasRenderingContext2D, whole: string, room: number): string {
  if (context.measureText(whole).width <= room) {
    return whole;
  }
  let low = 0;
  let high = whole.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (context.measureText(whole.slice(0, middle) + '…').width <= room) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return whole.slice(0, low) + '…';
}

const TONES: Record<ProcessStatus, 'good' | 'calm' | 'warn' | 'bad' | 'off'> = {
  running: 'good',
  waiting: 'calm',
  suspended: 'warn',
  restarting: 'warn',
  stopped: 'off',
  exiting: 'bad'
};

/** The glyphs ● ◌ ‖ ↻ ○ ✕ as strokes: fonts draw them at sizes of their own. */
function glyph(context: CanvasRenderingContext2D, palette: Palette, status: ProcessStatus, x: number, y: number): void {
  const colour = palette[TONES[status] ?? 'off'];
  context.fillStyle = colour;
  context.strokeStyle = colour;
  context.lineWidth = 2;
  const size = RADIUS - 1;
  switch (status) {
    case 'running':
      circle(context, x, y, size + 0.5);
      context.fill();
      return;
    case 'waiting':
      context.setLineDash([2.1, 1.825]);
      circle(context, x, y, size);
      context.stroke();
      context.setLineDash([]);
      return;
    case 'suspended':
      context.fillRect(x - 4, y - size, 2.6, 2 * size);
      context.fillRect(x + 1.4, y - size, 2.6, 2 * size);
      return;
    case 'restarting':
      context.beginPath();
      context.arc(x, y, size, -0.2, 1.5 * Math.PI);
      context.stroke();
      context.beginPath();
      context.moveTo(x + 4, y - size);
      context.lineTo(x - 1, y - size - 3.5);
      context.lineTo(x - 1, y - size + 3.5);
      context.fill();
      return;
    case 'exiting':
      context.beginPath();
      context.moveTo(x - 4, y - 4);
      context.lineTo(x + 4, y + 4);
      context.moveTo(x + 4, y - 4);
      context.lineTo(x - 4, y + 4);
      context.stroke();
      return;
    default:
      circle(context, x, y, size);
      context.stroke();
  }
}

function circle(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

function rounded(context: CanvasRenderingContext2D, x: number, y: number, width: number, height: number): void {
  context.beginPath();
  context.roundRect(x, y, width, height, 3);
}
