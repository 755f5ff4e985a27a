// A part of the page that scrolls sideways fades where there is more.
import { useLayoutEffect, useState } from "../../vendor/preact/hooks.js";
import { moreSides } from "../lib/overflow.js";

/**
 * The classes of an element for the sides at which it goes on (see lib/overflow.js).
 * @param {{current: HTMLElement | null}} place
 * @param {number} [parts] Number of things in it.
 * @returns {string}
 */
export function useMore(place, parts = 1) {
  const [more, setMore] = useState("");
  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const update = () => setMore(moreSides(element));
    const observer = new ResizeObserver(update);
    for (const watched of [element, ...element.children]) observer.observe(watched);
    element.addEventListener("scroll", update, { passive: true });
    update();
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", update);
    };
  }, [parts]);
  return more;
}
