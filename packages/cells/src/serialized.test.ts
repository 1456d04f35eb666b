import { ValueError } from '@recurra/tensor';
import { resolveConstraint, resolveInitializer, resolveRegularizer } from './extend.js';

const RESOLVERS = [
  ['initializer', 'Constant', resolveInitializer],
  ['regularizer', 'L2', resolveRegularizer],
  ['constraint', 'MaxNorm', resolveConstraint],
] as const;

describe.each(RESOLVERS)('%s', (kind, className, resolve) => {
  test.each([
    ['null', null],
    ['a list', [0.5]],
    ['a Map', new Map([['value', 0.5]])],
    ['a Date', new Date(0)],
    ['a text', 'value'],
    ['missing', undefined],
  ])('refuses a description whose config is %s', (_what, config) => {
    const call = (): unknown => resolve({ className, config } as never);
    expect(call).toThrow(ValueError);
    expect(call).toThrow(new RegExp(`${kind}: expected`));
  });

  test('takes one with a configuration, null in it being the default', () => {
    expect(resolve({ className, config: {} })!.name).toBe(className);
    const [[option]] = Object.entries(resolve({ className, config: {} })!.config) as [[string, unknown]];
    expect(resolve({ className, config: { [option]: 0.5 } })!.config).toMatchObject({ [option]: 0.5 });
    expect(resolve({ className, config: { [option]: null } })!.config).toEqual(
      resolve({ className, config: {} })!.config,
    );
  });
});
