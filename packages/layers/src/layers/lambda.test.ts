import { FormatError, type Tensor, tensor, ValueError } from '@recurra/tensor';
import { maskOf, withMask } from '../extend.js';
import { deserializeLayer, Input, Lambda, Model } from '../index.js';

const x = tensor([[1, -2]]);

test('a function as a layer, of values and in a model', async () => {
  const square = new Lambda((v: Tensor) => v.square());
  expect(square.apply(x).toArray()).toEqual([[1, 4]]);
  const input = Input({ shape: [2] });
  const model = new Model({ inputs: input, outputs: square.apply(input) });
  expect((await model.predict([[3, 4]])).toArray()).toEqual([[9, 16]]);
  expect(square.computeOutputShape([null, 7])).toEqual([null, 7]);
});

test('it is told of training, masks and its arguments', () => {
  const scale = new Lambda((v: Tensor, { training, by }) => (training ? v.mul(by as number) : v), {
    arguments: { by: 3 },
  });
  expect(scale.apply(x).toArray()).toEqual([[1, -2]]);
  expect(scale.apply(x, { training: true }).toArray()).toEqual([[3, -6]]);
});

test('lists in, a record out', () => {
  const parts = new Lambda(([a, b]: readonly [Tensor, Tensor]) => ({ sum: a.add(b), difference: a.sub(b) }));
  const { sum, difference } = parts.apply([x, x]);
  expect([sum.toArray(), difference.toArray()]).toEqual([[[2, -4]], [[0, 0]]]);
});

test('shapes and masks that are given', () => {
  const f = (v: Tensor): Tensor => v.sum(1);
  expect(new Lambda(f, { outputShape: [4] }).apply(Input({ shape: [null, 4] })).shape).toEqual([null, 4]);
  expect(new Lambda(f, { outputShape: ([b, , d]) => [b!, d!] }).apply(Input({ shape: [null, 4] })).shape).toEqual([
    null,
    4,
  ]);
  const mask = tensor([[1, 0]]).cast('bool');
  const masked = withMask(x.add(0), mask);
  expect(maskOf(new Lambda((v: Tensor) => v.neg(), { mask: (_, m) => m }).apply(masked))).toBe(mask);
  expect(maskOf(new Lambda((v: Tensor) => v.neg(), { mask }).apply(x))).toBe(mask);
});

test('a function is not data', () => {
  const layer = new Lambda((v: Tensor) => v.neg(), { name: 'turned' });
  expect(() => layer.getConfig()).toThrow(ValueError);
  expect(() => layer.getConfig()).toThrow(
    /Lambda "turned": expected layers that are plain data, received one of a function/,
  );
  const config = { className: 'Lambda', config: { function: 'x => x' } };
  expect(() => deserializeLayer(config)).toThrow(FormatError);
  expect(() => deserializeLayer(config)).toThrow(/which is code\. Pass what makes it: customObjects/);
  const made = deserializeLayer(config, { customObjects: { Lambda: { fromConfig: () => layer } } });
  expect(made).toBe(layer);
});

test('what is no function, or gives no tensor, is refused', () => {
  expect(() => new Lambda('x' as never)).toThrow(/expected a function of tensors, received "x"/);
  expect(() => new Lambda((() => 3) as never).apply(x)).toThrow(/expected the function to give a tensor/);
  expect(() => new Lambda((() => undefined) as never).apply(x)).toThrow(/expected the function to give a tensor/);
});
