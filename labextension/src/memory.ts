/**
 * Which kernels have the extension loaded, kept over a reload of the page: a reloaded panel may greet these at once,
 * even while they are busy.
 */
const KEY = 'jupyter-sandbox:kernels';
const MOST = 100;

export class Memory {
  constructor(private readonly storage: Storage) {}

  has(kernel: string): boolean {
    return this.read().includes(kernel);
  }

  put(kernel: string, loaded: boolean): void {
    const known = this.read();
    if (known.includes(kernel) === loaded) {
      return;
    }
    const others = known.filter(id => id !== kernel);
    const next = loaded ? [...others, kernel].slice(-MOST) : others;
    try {
      this.storage.setItem(KEY, JSON.stringify(next));
    } catch {
      // A full or forbidden storage costs the connection after a reload, nothing else.
    }
  }

  private read(): string[] {
    try {
      const known: unknown = JSON.parse(this.storage.getItem(KEY) ?? '[]');
      return Array.isArray(known) ? known.filter(id => typeof id === 'string') : [];
    } catch {
      return [];
    }
  }
}
