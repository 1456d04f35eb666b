import type { Tensor } from '@recurra/tensor';
import { type Aval, checkValue, type Rule, rules, withKeys } from '@recurra/tensor/extend';
import { Tracer } from './tracer.js';
import { whileTracing } from './tracers.js';

const INPUTS: Rule = {
  expected: 'a list of tensors, or of { shape, dtype }',
  accepts: (v) => Array.isArray(v) && v.every((aval) => Array.isArray(aval?.shape) && rules.dtype.accepts(aval.dtype)),
};

/**
 * What a function of tensors would give, without computing it: its results as tensors that have shapes and dtypes, but no data. Variables can be
 * read; what is assigned to them is forgotten. As `jax.eval_shape`.
 */
export function evalShape<R>(f: (...inputs: Tensor[]) => R, inputs: readonly Aval[]): R {
  checkValue('evalShape', 'f', f, rules.callable);
  checkValue('evalShape', 'the inputs', inputs, INPUTS);
  const tracer = new Tracer();
  const values = inputs.map((aval) => tracer.input(aval));
  const key = tracer.input({ shape: [2], dtype: 'int32' });
  return whileTracing(tracer, () => withKeys(key, () => f(...values)));
}

/** Runs `f` as if no function were being compiled: tensors that it makes are concrete, random keys those of the global generator. */
export function untraced<R>(f: () => R): R {
  checkValue('untraced', 'f', f, rules.callable);
  return whileTracing(null, () => withKeys(null, f));
}
