import { vjp } from '@recurra/autograd';
import { jit } from '@recurra/compiler';
import { randomKey, randomNormal, splitKey, type Tensor, tensor } from '@recurra/tensor';
import { allPrimitives, bind, isFloating } from '@recurra/tensor/extend';
import { differentiable, drawInput } from '../checks/gradients.js';
import { type EngineCase, expectClose } from './case.js';

const cases = allPrimitives().flatMap((primitive) =>
  primitive.samples.flatMap((_, i) =>
    (['float32', 'float64'] as const).map((dtype) => [primitive.name, i, dtype, primitive] as const),
  ),
);

/** Every primitive with all of its samples: compiled as eager, also for strided inputs. */
export const VALUES: readonly EngineCase[] = cases.map(([name, i, dtype, primitive]) => ({
  name: `${name}, sample ${i} in ${dtype}: compiled as eager, also for strided inputs`,
  run: async () => {
    const { inputs, params } = primitive.samples[i]!;
    const keys = splitKey(randomKey(i), inputs.length);
    const values = inputs.map((input, j) => {
      const drawn = drawInput(input, keys[j]!);
      return isFloating(drawn.dtype) ? drawn.cast(dtype) : drawn;
    });
    const step = jit((xs: Tensor[]) => bind(primitive, xs, params));
    const tolerance = dtype === 'float64' ? 0 : 2e-6;
    expectClose(await step(values), bind(primitive, values, params), tolerance);
    // The same values seen through views inside of the step.
    const flipped = values.map((v) =>
      v.rank === 0 ? v : tensor(v.transpose().flip().data, { shape: v.transpose().shape, dtype: v.dtype }),
    );
    const strided = jit((xs: Tensor[]) =>
      bind(
        primitive,
        xs.map((x) => (x.rank === 0 ? x : x.flip().transpose())),
        params,
      ),
    );
    expectClose(await strided(flipped), bind(primitive, values, params), tolerance);
    step.dispose();
    strided.dispose();
  },
}));

/** Their gradients, and the gradients of these. */
export const GRADIENTS: readonly EngineCase[] = cases
  .filter(([, i, , p]) => differentiable(p, i))
  .map(([name, i, dtype, primitive]) => ({
    name: `${name}, sample ${i} in ${dtype}: gradient and its gradient, compiled as eager`,
    run: async () => {
      const { inputs, params } = primitive.samples[i]!;
      const keys = splitKey(randomKey(i + 5), inputs.length + 1);
      const values = inputs.map((input, j) => {
        const drawn = drawInput(input, keys[j]!);
        return isFloating(drawn.dtype) ? drawn.cast(dtype) : drawn;
      });
      const floating = values.flatMap((v, j) => (isFloating(v.dtype) ? [j] : []));
      const gradient = (own: Tensor[]): Tensor[] => {
        const { value, pullback } = vjp(
          (leaves: Tensor[]) =>
            bind(
              primitive,
              values.map((v, j) => (floating.includes(j) ? leaves[floating.indexOf(j)]! : v)),
              params,
            ),
          own,
        );
        const cotangents = value.map((v) =>
          isFloating(v.dtype) ? randomNormal(v.shape, { key: keys[inputs.length]!, dtype }) : v.zerosLike(),
        );
        return pullback(cotangents)[0];
      };
      const second = (own: Tensor[]): Tensor[] => {
        const { value, pullback } = vjp(gradient, own);
        return pullback(value.map((v) => randomNormal(v.shape, { key: keys[inputs.length]!, dtype })))[0];
      };
      const leaves = floating.map((j) => values[j]!);
      const tolerance = dtype === 'float64' ? 1e-12 : 1e-5;
      expectClose(await jit(gradient)(leaves), gradient(leaves), tolerance);
      expectClose(await jit(second)(leaves), second(leaves), tolerance * 10);
    },
  }));
