// Pure functions for words and numbers.

/**
 * `template` with each `{name}` replaced by its value.
 * @param {string} template
 * @param {Record<string, string | number>} values
 */
export function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/**
 * A typed number: a decimal comma works as well as a point, and a real minus sign as well as a hyphen.
 * @param {string} text
 * @returns {number | null} null if it isn't a finite number.
 */
export function parseNumber(text) {
  const plain = text.trim().replace(",", ".").replace("−", "-");
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain)) return null;
  const value = Number(plain);
  return Number.isFinite(value) ? value : null;
}

/**
 * A weight or loss for people: `digits` decimals, a real minus sign, never "-0.00".
 * @param {number} value
 * @param {number} [digits]
 */
export function formatNumber(value, digits = 2) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const text = size >= 1e5 ? size.toExponential(1) : size.toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/**
 * A number as short as it can be written: 0.0003, 0.5, 128.
 * @param {number} value
 */
export function shortNumber(value) {
  return String(Number(value.toPrecision(6))).replace("-", "−");
}

/**
 * A share of one as whole per cent. 100 is said only when nothing is missing, 0 only when all is.
 * @param {number} share
 */
export function percent(share) {
  const rounded = Math.round(share * 100);
  if (rounded === 100 && share < 1) return 99;
  if (rounded === 0 && share > 0) return 1;
  return rounded;
}

/**
 * An epoch for the counter: whole, at least four digits; from a million on as people say it ("1.234M", "123.4万").
 * @param {number} epoch
 * @param {string} locale Of the browser's number formats.
 */
export function epochText(epoch, locale) {
  const whole = Math.floor(epoch + 1e-9);
  return whole < MILLION ? String(whole).padStart(4, "0") : large(whole, locale);
}

/**
 * An epoch beside a mark of an axis.
 * @param {number} epoch
 * @param {string} locale
 */
export function epochMark(epoch, locale) {
  return epoch.toLocaleString(locale, epoch < MILLION ? {} : { notation: "compact" });
}

const MILLION = 1e6;

/** @param {number} value @param {string} locale */
function large(value, locale) {
  const digits = {
    minimumSignificantDigits: 4,
    maximumSignificantDigits: 4,
    roundingMode: /** @type {const} */ ("trunc"),
  };
  return new Intl.NumberFormat(locale, { notation: "compact", ...digits }).format(value);
}
