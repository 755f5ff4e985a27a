// What browser tests read; nothing on the page depends on it.
interface Window {
  layerlab?: { lastApplied?: number; layers?: number[]; step?: number; [name: string]: unknown };
}
