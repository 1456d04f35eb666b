import { jit } from '@recurra/compiler';
import { Embedding } from '@recurra/layers';
import { type Tensor, tensor } from '@recurra/tensor';

test.each([-1, 1.7, Number.NaN, 4])(
  'an Embedding refuses the id %p that a model computes, eager and compiled',
  async (id) => {
    const layer = new Embedding(4, 2);
    const x = tensor([[0, id / 2]]);
    const f = (v: Tensor): Tensor => layer.apply(v.mul(2)) as Tensor;
    f(tensor([[0, 1]]));
    const message = `expected ids in 0..3, received ${id}`;
    expect(() => f(x)).toThrow(message);
    await expect(jit(f)(x)).rejects.toThrow(message);
  },
);
