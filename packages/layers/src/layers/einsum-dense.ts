import type { ConstraintIdentifier, Initializer, InitializerIdentifier, RegularizerIdentifier } from '@recurra/cells';
import { describeRegularizer } from '@recurra/cells/extend';
import {
  type Activation as ActivationFunction,
  type ActivationIdentifier,
  einsum,
  resolveActivation,
  ShapeError,
  type Tensor,
  ValueError,
} from '@recurra/tensor';
import { checkValue, describeValue, type Rule, rules, sizeOf } from '@recurra/tensor/extend';
import { keepsSamplesApart } from '../base/independence.js';
import { Layer } from '../base/layer.js';
import { type LayerOptions, type Settled, settle } from '../base/options.js';
import { differ, formatPartial, type PartialShape } from '../base/symbolic.js';
import type { Variable } from '../base/variable.js';

/** Options of {@link EinsumDense}. */
export interface EinsumDenseOptions extends LayerOptions {
  /** `null`: linear. */
  readonly activation?: ActivationIdentifier | null;
  /** The letters of the output that the bias has axes for; `null` (default): no bias. */
  readonly biasAxes?: string | null;
  /** 'glorotUniform', with the axes that are summed as fan-in and the others as fan-out */
  readonly kernelInitializer?: InitializerIdentifier;
  /** 'zeros' */
  readonly biasInitializer?: InitializerIdentifier;
  readonly kernelRegularizer?: RegularizerIdentifier | null;
  readonly biasRegularizer?: RegularizerIdentifier | null;
  readonly kernelConstraint?: ConstraintIdentifier | null;
  readonly biasConstraint?: ConstraintIdentifier | null;
}

const OUTPUT_SHAPE: Rule = rules.either(
  rules.count,
  rules.listOf(rules.orNull(rules.count), 'a list of such (null: the size of the inputs)'),
);

/** What an equation says for inputs of a shape. */
interface Analysis {
  readonly kernel: readonly number[];
  readonly bias: readonly number[] | null;
  readonly output: PartialShape;
  /** The kernel's axes that are summed, and the others. */
  readonly inputAxes: readonly number[];
  readonly outputAxes: readonly number[];
}

/**
 * y = activation(einsum(equation, x, W) + b): a dense layer over any axes. `'abc,cd->abd'` with `outputShape` [null, 64] is `Dense(64)` on
 * [batch, time, features]; `'abc,cde->abde'` with [null, heads, size] projects to heads. Forms of equations: `ab,bc->ac`, `...b,bc->...c`, `ab...,bc->ac...`.
 *
 * `outputShape` is without the batch axis, `null` where a size follows the input's. W (`kernel`) has the sizes of the second term's letters; b (`bias`) those of
 * `biasAxes`, 1 for letters after the first of them that are not among them. Keras `EinsumDense`.
 */
export class EinsumDense extends Layer {
  static override readonly positional: readonly string[] = ['equation', 'outputShape'];
  readonly equation: string;
  readonly outputShape: PartialShape;
  protected override readonly settled: Settled<EinsumDenseOptions>;
  private readonly activation: ActivationFunction;
  private kernel!: Variable;
  private bias: Variable | undefined;

  constructor(equation: string, outputShape: number | PartialShape, options: EinsumDenseOptions = {}) {
    super(options);
    this.settled = settle<EinsumDenseOptions>(
      'EinsumDense',
      options,
      {
        activation: null,
        biasAxes: null,
        kernelInitializer: 'glorotUniform',
        biasInitializer: 'zeros',
        kernelRegularizer: null,
        biasRegularizer: null,
        kernelConstraint: null,
        biasConstraint: null,
      },
      { biasAxes: rules.orNull(rules.text) },
    );
    this.activation = resolveActivation(this.settled.activation);
    this.equation = equation;
    const { output } = parse(equation);
    expectBiasAxes('EinsumDense', this.settled.biasAxes, output);
    checkValue('EinsumDense', 'outputShape', outputShape, OUTPUT_SHAPE);
    const shape: PartialShape = typeof outputShape === 'number' ? [outputShape] : outputShape;
    this.outputShape = [...shape];
  }

  override get className(): string {
    return 'EinsumDense';
  }

  protected override get independentSamples(): boolean {
    const { elided, input, weight, output } = parse(this.equation);
    const batch = input[0]!;
    return (
      keepsSamplesApart(this.settled.activation) &&
      (elided === 'left' || (output[0] === batch && !weight.includes(batch)))
    );
  }

  protected override checkInputs(shape: PartialShape): void {
    const { kernel } = this.analyze(shape, this.built);
    if (this.built && kernel.join() !== this.kernel.shape.join())
      throw new ShapeError(
        `${this.label}: expected input for a kernel of shape [${this.kernel.shape.join(', ')}], received ${formatPartial(shape)}, which needs [${kernel.join(', ')}]`,
      );
  }

  override build(inputShape: PartialShape): void {
    const { kernel, bias, inputAxes, outputAxes } = this.analyze(inputShape);
    const s = this.settled;
    this.kernel = this.variable({
      name: 'kernel',
      shape: kernel,
      initializer: byAxes(s.kernelInitializer, inputAxes, outputAxes),
      regularizer: s.kernelRegularizer,
      constraint: s.kernelConstraint,
    });
    if (bias)
      this.bias = this.variable({
        name: 'bias',
        shape: bias,
        initializer: s.biasInitializer,
        regularizer: s.biasRegularizer,
        constraint: s.biasConstraint,
      });
  }

  call(x: Tensor): Tensor {
    const product = einsum(this.equation, x, this.kernel.value);
    return this.activation(this.bias ? product.add(this.bias.value) : product);
  }

  override computeOutputShape(inputShape: PartialShape): PartialShape {
    return this.analyze(inputShape, true).output;
  }

  protected override fields(): Record<string, unknown> {
    const {
      activation,
      biasAxes,
      kernelInitializer,
      biasInitializer,
      kernelRegularizer,
      biasRegularizer,
      kernelConstraint,
      biasConstraint,
    } = super.fields();
    return {
      outputShape: this.outputShape,
      equation: this.equation,
      activation,
      biasAxes,
      kernelInitializer,
      biasInitializer,
      kernelRegularizer,
      biasRegularizer,
      activityRegularizer: describeRegularizer(this.activityRegularizer),
      kernelConstraint,
      biasConstraint,
      quantizationConfig: null,
    };
  }

  /** Shapes and axes for inputs of a shape. Throws `ShapeError` where they do not fit, or a size of the kernel is open (`partial`: then that of the kernel there is). */
  private analyze(shape: PartialShape, partial = false): Analysis {
    const { elided: side, input, weight, output } = parse(this.equation);
    const elided = shape.length - input.length;
    if (elided < 0 || (side === null && elided > 0))
      throw new ShapeError(
        `${this.label}: expected input of rank ${input.length}${side === null ? '' : ' or more'} for "${this.equation}", received ${formatPartial(shape)}`,
      );
    const offset = side === 'left' ? elided : 0;
    const sizes = new Map<string, number | null>([...input].map((letter, i) => [letter, shape[offset + i]!]));
    const between = side === 'left' ? shape.slice(1, Math.max(1, elided)) : [];
    const behind = side === 'right' ? shape.slice(input.length) : [];
    const full: (number | null)[] = [shape[0]!, ...between, ...this.outputShape, ...behind];
    if (full.length !== output.length + elided)
      throw new ShapeError(
        `${this.label}: expected outputShape of ${output.length + elided - 1 - between.length - behind.length} sizes for "${this.equation}" and inputs ${formatPartial(shape)}, received [${formatPartial(this.outputShape).slice(1, -1)}]`,
      );
    [...output].forEach((letter, i) => {
      if (!sizes.has(letter)) return;
      const own = sizes.get(letter)!;
      const declared = full[offset + i];
      if (differ(declared, own))
        throw new ShapeError(
          `${this.label}: expected size ${declared} of "${letter}" in "${this.equation}", as outputShape says, received ${formatPartial(shape)}`,
        );
      full[offset + i] = declared ?? own;
    });
    const made = new Map([...output].map((letter, i) => [letter, full[offset + i] ?? null]));
    const kernel = [...weight].map((letter, i) => {
      const size = (made.has(letter) ? made.get(letter) : sizes.get(letter)) ?? null;
      if (size !== null) return size;
      if (partial && this.built) return this.kernel.shape[i]!;
      if (partial) return 0;
      throw new ShapeError(
        `${this.label}: expected a known size of "${letter}" in "${this.equation}", received ${formatPartial(shape)}. Give it to Input or in outputShape.`,
      );
    });
    const { biasAxes } = this.settled;
    let bias: number[] | null = null;
    if (biasAxes !== null) {
      const first = Math.min(...[...biasAxes].map((letter) => output.indexOf(letter)));
      bias = [...output.slice(first)].map((letter) => {
        if (!biasAxes.includes(letter)) return 1;
        const size = made.get(letter) ?? null;
        if (size === null && !partial)
          throw new ShapeError(
            `${this.label}: expected a known size of "${letter}", an axis of the bias, received ${formatPartial(shape)}`,
          );
        return size ?? 0;
      });
      if (side === 'right') bias.push(...Array<number>(elided).fill(1));
    }
    const axes = [...weight].map((_, i) => i);
    return {
      kernel,
      bias,
      output: full,
      inputAxes: axes.filter((i) => !output.includes(weight[i]!)),
      outputAxes: axes.filter((i) => output.includes(weight[i]!)),
    };
  }
}

/** Throws `ValueError` unless a bias has axes for letters of the output. */
function expectBiasAxes(label: string, biasAxes: string | null, output: string): void {
  if (biasAxes !== null && (biasAxes === '' || [...biasAxes].some((letter) => !output.includes(letter))))
    throw new ValueError(
      `${label}: expected biasAxes among the letters of "${output}", received ${describeValue(biasAxes)}`,
    );
}

/** The terms of an equation, and on which side axes are left out. Throws `ValueError` for one of another form. */
function parse(equation: unknown): {
  readonly elided: 'left' | 'right' | null;
  readonly input: string;
  readonly weight: string;
  readonly output: string;
} {
  const text = typeof equation === 'string' ? equation.replaceAll(/\s/g, '') : '';
  const found = /^(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?$/.exec(text);
  const fail = (what: string): never => {
    throw new ValueError(`EinsumDense: expected ${what}, received ${describeValue(equation)}`);
  };
  if (!found) return fail("an equation like 'ab,bc->ac', '...b,bc->...c' or 'ab...,bc->ac...'");
  const [, left, input, right, weight, outLeft, output, outRight] = found as unknown as string[];
  if (Boolean(left) !== Boolean(outLeft) || Boolean(right) !== Boolean(outRight) || (left && right))
    return fail("'...' on one side, of the input and of the output alike");
  for (const term of [input!, weight!, output!])
    if (new Set(term).size !== term.length) return fail('each letter once in a term');
  const orphan = [...output!].find((letter) => !input!.includes(letter) && !weight!.includes(letter));
  if (orphan) return fail(`letters of the output to stand in a term before it, not "${orphan}"`);
  const loose = [...weight!].find((letter) => !input!.includes(letter) && !output!.includes(letter));
  if (loose) return fail(`letters of the kernel to stand in the input or the output, not "${loose}"`);
  return { elided: left ? 'left' : right ? 'right' : null, input: input!, weight: weight!, output: output! };
}

/** An initializer whose variance depends on fans, with these axes as fan-in and fan-out: it draws a matrix of them. Others draw as they are. */
function byAxes(initializer: Initializer, inputAxes: readonly number[], outputAxes: readonly number[]): Initializer {
  if (!('inputAxes' in initializer.config)) return initializer;
  const order = [...inputAxes, ...outputAxes];
  return {
    ...initializer,
    create: (shape, options) => {
      const [rows, columns] = [inputAxes, outputAxes].map((axes) => sizeOf(axes.map((axis) => shape[axis]!)));
      const matrix = initializer.create([rows!, columns!], options);
      return matrix.reshape(order.map((axis) => shape[axis]!)).transpose(order.map((_, axis) => order.indexOf(axis)));
    },
  };
}
