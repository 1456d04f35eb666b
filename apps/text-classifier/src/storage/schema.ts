import * as v from 'valibot';
import { type Architecture, CELLS, LIMITS } from '../model.js';

const integer = (min: number, max: number) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
const distinct = (what: string) =>
  v.check((list: string[]) => new Set(list).size === list.length, `Expected ${what} that are distinct`);

/** The content of the file that `train --out` writes. */
export interface StoredClassifier {
  /** Names of the classes, by index. */
  readonly labels: string[];
  /** Length to which sequences are padded and cut. */
  readonly maxLength: number;
  /** The known words, by falling frequency: the first has id 2, after padding and the unknown word. */
  readonly words: string[];
  readonly architecture: Architecture;
  /** Of each weight its name, shape, and elements: little-endian float32, in base64. */
  readonly weights: { readonly path: string; readonly shape: number[]; readonly data: string }[];
}

/** Objects are strict: what we do not know may mean something that we would ignore. */
const CONTENT: v.GenericSchema<unknown, StoredClassifier> = v.strictObject({
  labels: v.pipe(v.array(v.pipe(v.string(), v.nonEmpty())), v.minLength(2), distinct('labels')),
  maxLength: integer(1, LIMITS.maxLength),
  words: v.pipe(v.array(v.pipe(v.string(), v.nonEmpty())), v.minLength(1), distinct('words')),
  architecture: v.strictObject({
    cell: v.picklist(CELLS),
    units: integer(1, LIMITS.units),
    layers: integer(1, LIMITS.layers),
    bidirectional: v.boolean(),
    embedding: integer(1, LIMITS.embedding),
    dropout: v.pipe(
      v.number(),
      v.minValue(0),
      v.check((n) => n < 1, 'Expected less than 1'),
    ),
  }),
  weights: v.array(
    v.strictObject({
      path: v.pipe(v.string(), v.nonEmpty()),
      shape: v.array(integer(1, LIMITS.weights)),
      data: v.string(),
    }),
  ),
});
/** The content, or what is wrong with it first. */
export function checkContent(content: unknown): { readonly value: StoredClassifier } | { readonly fault: string } {
  const result = v.safeParse(CONTENT, content, { abortEarly: true });
  if (result.success) return { value: result.output };
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  return { fault: path === null ? issue.message : `${path}: ${issue.message}` };
}
