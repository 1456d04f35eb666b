import { ValueError } from '@recurra/tensor';
import { describeValue } from '@recurra/tensor/extend';
import { findLogName } from '../../metrics/naming.js';

/** A part of a name: text, or a value and how it is written. */
type Part = string | { readonly name: string; readonly format: (value: number) => string };

/** Of Python's format specifications, what numbers take: fill and align, sign, zeros, width, commas, precision, type. */
const SPEC = /^(?:(.)?([<>=^]))?([-+ ])?(0)?(\d+)?([,_])?(?:\.(\d+))?([deEfFgG%])?$/u;

/**
 * A template of file names as Keras has them, `{epoch:02d}-{valLoss:.4f}.ckpt`, in the specifications of Python's `format`; `{{` and `}}` are braces. Throws
 * `ValueError` for what it cannot read.
 */
export class FileName {
  private readonly parts: readonly Part[];
  private readonly label: string;
  private readonly template: string;

  constructor(label: string, template: string) {
    this.label = label;
    this.template = template;
    const parts: Part[] = [];
    let text = '';
    for (let at = 0; at < template.length; at++) {
      const char = template[at]!;
      if (char !== '{' && char !== '}') text += char;
      else if (template[at + 1] === char) {
        text += char;
        at++;
      } else {
        const end = template.indexOf('}', at);
        const field = char === '{' && end > at ? template.slice(at + 1, end) : '';
        const [, name, spec = ''] = /^([A-Za-z_]\w*)(?::(.*))?$/.exec(field) ?? [];
        if (name === undefined) throw this.wrong(`{name} or {name:format}, received "${template.slice(at)}"`);
        parts.push(text, { name, format: this.formatOf(name, spec) });
        text = '';
        at = end;
      }
    }
    this.parts = [...parts, text];
  }

  private wrong(expected: string): ValueError {
    return new ValueError(`${this.label}: expected ${expected} in the path "${this.template}"`);
  }

  private formatOf(name: string, spec: string): (value: number) => string {
    const found = SPEC.exec(spec);
    if (!found) throw this.wrong(`a format of numbers such as 02d or .4f for ${name}, received "${spec}"`);
    const [, fill, align, sign = '-', zero, width = '0', group, precision, type] = found;
    if (type === 'd' && precision !== undefined) throw this.wrong(`a format without precision for ${name}:d`);
    return (value) => {
      if (type === 'd' && !Number.isInteger(value))
        throw this.wrong(`an integer for {${name}:${spec}}, received ${describeValue(value)},`);
      const before = value < 0 || Object.is(value, -0) ? '-' : sign === '-' ? '' : sign;
      let digits = Number.isFinite(value)
        ? digitsOf(Math.abs(value), type, precision === undefined ? undefined : Number(precision))
        : Number.isNaN(value)
          ? 'nan'
          : 'inf';
      if (group !== undefined) digits = digits.replace(/^\d+/, (n) => n.replace(/\B(?=(\d{3})+$)/g, group));
      const missing = Math.max(0, Number(width) - before.length - digits.length);
      const pad = (fill ?? (zero && align === undefined ? '0' : (zero ?? ' '))).repeat(missing);
      const to = align ?? (zero ? '=' : '>');
      if (to === '=') return before + pad + digits;
      if (to === '<') return before + digits + pad;
      if (to === '>') return pad + before + digits;
      const left = Math.floor(missing / 2);
      return pad.slice(0, left) + before + digits + pad.slice(left);
    };
  }

  /** The name for these values, `epoch`, `batch` and the logs. Throws `ValueError` for one that there is not. */
  of(values: Readonly<Record<string, number>>): string {
    return this.parts
      .map((part) => {
        if (typeof part === 'string') return part;
        const found = findLogName(part.name, Object.keys(values));
        if (found === undefined)
          throw this.wrong(`names among ${Object.keys(values).join(', ')}, received {${part.name}},`);
        return part.format(values[found]!);
      })
      .join('');
  }
}

/** Digits of a finite number >= 0 in one of Python's types. */
function digitsOf(value: number, type: string | undefined, precision: number | undefined): string {
  // Exponents have two digits at least.
  const exponent = (text: string): string => text.replace(/e([-+])(\d)$/, 'e$10$2');
  switch (type) {
    case 'd':
      return String(value);
    case 'f':
    case 'F':
      return value.toFixed(precision ?? 6);
    case '%':
      return `${(value * 100).toFixed(precision ?? 6)}%`;
    case 'e':
    case 'E': {
      const text = exponent(value.toExponential(precision ?? 6));
      return type === 'E' ? text.toUpperCase() : text;
    }
    case 'g':
    case 'G': {
      const text = general(value, Math.max(1, precision ?? 6), exponent);
      return type === 'G' ? text.toUpperCase() : text;
    }
    default:
      return precision === undefined ? exponent(String(value)) : general(value, Math.max(1, precision), exponent);
  }
}

/** So many digits that count, without zeros at the end; with an exponent where that is shorter. */
function general(value: number, precision: number, exponent: (text: string) => string): string {
  if (value === 0) return '0';
  const power = Number(value.toExponential(precision - 1).split('e')[1]);
  const trimmed = (text: string): string => (text.includes('.') ? text.replace(/\.?0+(?=e|$)/, '') : text);
  return power < -4 || power >= precision
    ? exponent(trimmed(value.toExponential(precision - 1)))
    : trimmed(value.toFixed(precision - 1 - power));
}
