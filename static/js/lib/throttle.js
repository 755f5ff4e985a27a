// What changes quickly is sent or drawn less often; the last value is never left out.

/**
 * A sender that keeps only the newest value: while one is on its way, or was sent less than
 * `gap` milliseconds ago, later values replace each other and the last one is sent next.
 * A refused value doesn't stop the ones after it: `send` itself tells of the refusal.
 * @template T
 * @param {(value: T) => Promise<unknown>} send resolves once the server has answered
 * @param {number} gap milliseconds between two sends
 * @returns {(value: T) => void}
 */
export function newestOnly(send, gap) {
  /** @type {{value: T} | null} */
  let waiting = null;
  let busy = false;

  async function run() {
    busy = true;
    while (waiting !== null) {
      const { value } = waiting;
      waiting = null;
      const rest = new Promise((resolve) => setTimeout(resolve, gap));
      await Promise.allSettled([send(value), rest]);
    }
    busy = false;
  }

  return (value) => {
    waiting = { value };
    if (!busy) void run();
  };
}

/**
 * Calls `act` at most once in `gap` milliseconds: at once after a rest, otherwise when the gap is over.
 * @param {() => void} act
 * @param {number} gap
 * @param {() => number} [now] Milliseconds.
 * @returns {{offer: () => void, end: () => void}} `end`: what waits is not done any more.
 */
export function atMostEvery(act, gap, now = () => performance.now()) {
  let last = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const run = () => {
    timer = undefined;
    last = now();
    act();
  };
  return {
    offer: () => {
      timer ??= setTimeout(run, Math.max(0, last + gap - now()));
    },
    end: () => clearTimeout(timer),
  };
}

/**
 * Calls `act` when nothing was offered for `pause` milliseconds: who passes by asks for nothing.
 * @param {() => void} act
 * @param {number} pause
 * @returns {{offer: () => void, end: () => void}} `end`: what waits is not done any more.
 */
export function afterPause(act, pause) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const end = () => clearTimeout(timer);
  return {
    offer: () => {
      end();
      timer = setTimeout(act, pause);
    },
    end,
  };
}
