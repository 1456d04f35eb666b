/** Special functions in float64 that `Math` lacks. */

/** From here on erfc is taken by its continued fraction. */
const SPLIT = 2.5;
const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

/**
 * erf(x) = 2/sqrt(pi) * integral of exp(-t^2) from 0 to x.
 * Below 2.5: the all-positive series 2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (2n+1)!! (Abramowitz & Stegun 7.1.6), free of
 * cancellation. Above: 1 - erfc(x), erfc by its continued fraction (7.1.14), evaluated from the tail.
 */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x) || x === 0) return x;
  if (a > 6) return Math.sign(x);
  if (a < SPLIT) {
    const square = a * a;
    let term = a;
    let sum = a;
    for (let n = 1; term > sum * 1e-17 && n < 200; n++) {
      term *= (2 * square) / (2 * n + 1);
      sum += term;
    }
    const value = TWO_OVER_SQRT_PI * Math.exp(-square) * sum;
    return x < 0 ? -value : value;
  }
  const value = 1 - tail(a);
  return x < 0 ? -value : value;
}

/** 1 - erf(x), relative to itself where it is small (x > 0). */
export function erfc(x: number): number {
  return x < SPLIT ? 1 - erf(x) : tail(x);
}

/** erfc for x >= {@link SPLIT}: its continued fraction. */
function tail(x: number): number {
  let fraction = 0;
  for (let n = 40; n > 0; n--) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * (x + fraction));
}

/** The inverse of {@link erf} on (-1, 1): Winitzki's approximation, then Newton steps (f = erf(y) - x, f' = 2/sqrt(pi) exp(-y^2)). */
export function erfinv(x: number): number {
  if (!(Math.abs(x) <= 1)) return Number.NaN;
  if (Math.abs(x) === 1) return x * Infinity;
  if (x === 0) return x;
  const l = Math.log1p(-x * x);
  const t = 2 / (Math.PI * 0.147) + l / 2;
  let y = Math.sign(x) * Math.sqrt(Math.sqrt(t * t - l / 0.147) - t);
  for (let i = 0; i < 4; i++) {
    const step = (erf(y) - x) / (TWO_OVER_SQRT_PI * Math.exp(-y * y));
    y -= step;
    if (Math.abs(step) < 1e-16 * Math.abs(y)) break;
  }
  return y;
}
