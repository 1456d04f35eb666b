import { type Tensor, ValueError } from '@recurra/tensor';
import { checkOptions, checkValue, describeValue, rules } from '@recurra/tensor/extend';

/** What a layer of attention gives: its output, and (where the call asks for them) the scores. */
export type AttentionOutput = Tensor | readonly [output: Tensor, scores: Tensor];

/** Arguments of a call of every layer of attention. */
export interface AttentionArguments {
  /** Give the scores after softmax, too; false. */
  readonly returnAttentionScores?: boolean;
  /** Let each query see no key after its own place; false. */
  readonly useCausalMask?: boolean;
}

/** Throws `ValueError` for an argument that there is not: a misspelt mask would let a model see what it must not. */
export function checkArguments(label: string, given: object, own: Readonly<Record<string, true>> = {}): void {
  checkOptions(
    label,
    given as AttentionArguments,
    {
      training: true,
      mask: true,
      returnAttentionScores: true,
      useCausalMask: true,
      ...own,
    } as never,
  );
  for (const name of ['returnAttentionScores', 'useCausalMask'] as const) {
    const value: unknown = (given as AttentionArguments)[name];
    if (value !== undefined && typeof value !== 'boolean')
      throw new ValueError(`${label}: expected ${name} to be true or false, received ${describeValue(value)}`);
  }
}

/** Throws `ValueError` unless `value` is a share in 0..1. */
export function expectRate(label: string, value: unknown): void {
  checkValue(label, 'dropout', value, rules.share);
}
