/** Sends what changes quickly without ever making a queue. */

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
