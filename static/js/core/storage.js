// What the browser keeps for this page. It may refuse to (blocked cookies, a sealed frame): then nothing is kept.

/**
 * @param {() => Storage} open Asked for each time: already reading the property may throw.
 */
function keeper(open) {
  return {
    /** @param {string} name @returns {string | null} */
    get(name) {
      try {
        return open().getItem(name);
      } catch {
        return null;
      }
    },
    /** @param {string} name @param {string} value @returns {boolean} Whether it is kept. */
    set(name, value) {
      try {
        open().setItem(name, value);
        return true;
      } catch {
        return false;
      }
    },
    /** @param {string} name */
    remove(name) {
      try {
        open().removeItem(name);
      } catch {
        // nothing was kept
      }
    },
  };
}

/** Kept as long as this tab is open. */
export const tab = keeper(() => sessionStorage);
/** Kept in this browser. */
export const browser = keeper(() => localStorage);
