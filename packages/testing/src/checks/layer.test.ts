import { join } from 'node:path';
import { initializers } from '@recurra/cells';
import {
  ActivityRegularization,
  type AnyLayer,
  CategoryEncoding,
  CRF,
  Dense,
  Discretization,
  deserializeLayer,
  GroupQueryAttention,
  Hashing,
  InputLayer,
  IntegerLookup,
  Lambda,
  Layer,
  Masking,
  Normalization,
  PositionEmbedding,
  SequenceMask,
  SinePositionEncoding,
  SpectralNormalization,
  serializeLayer,
  type Variable,
} from '@recurra/layers';
import { layerClasses, type PartialShape } from '@recurra/layers/extend';
import { randomInteger, randomKey, randomNormal, stopGradient, type Tensor, tensor } from '@recurra/tensor';
import { type GoldenCase, type GoldenTensor, type GoldenWeight, readArea, toTensor } from '../golden/format.js';
import { fromKeras } from '../golden/layers.js';
import { checkLayer, type LayerSample } from './layer.js';

const x = randomNormal([3, 5, 4], { key: randomKey(3) });
const ids = randomInteger([3, 5], 0, 6, { key: randomKey(4) });

/** Samples of what has no golden case. */
const OWN: Readonly<Record<string, LayerSample>> = {
  ActivityRegularization: { make: () => new ActivityRegularization({ l1: 0.1, l2: 0.01 }), inputs: x },
  CRF: { make: () => new CRF(3), inputs: x },
  // Of inputs that are the mask's value no derivative can be taken: Keras' case has them.
  Masking: { make: () => new Masking({ maskValue: -1 }), inputs: x },
  SpectralNormalization: { make: () => new SpectralNormalization(new Dense(3)), inputs: x, changesFrozen: true },
  // Another name of GroupedQueryAttention.
  GroupQueryAttention: { make: () => new GroupQueryAttention(2, 4, 2), inputs: x },
  PositionEmbedding: { make: () => new PositionEmbedding(7), inputs: x },
  SequenceMask: { make: () => new SequenceMask(), inputs: [x, tensor([5, 0, 2], { dtype: 'int32' })] },
  SinePositionEncoding: { make: () => new SinePositionEncoding({ maxWavelength: 100 }), inputs: x },
  Lambda: { make: () => new Lambda((v: Tensor) => v.square()), inputs: x, serializable: false },
  // Replayed in the golden area `preprocessing`.
  Normalization: { make: () => new Normalization(), inputs: x },
  Discretization: { make: () => new Discretization({ binBoundaries: [-1, 0, 0.5] }), inputs: x },
  CategoryEncoding: { make: () => new CategoryEncoding(6), inputs: ids },
  Hashing: { make: () => new Hashing(7), inputs: ids },
  IntegerLookup: { make: () => new IntegerLookup({ vocabulary: [5, 2, 1] }), inputs: ids },
};

/** What takes texts, before a model: no layer of tensors. */
const TEXTS = ['StringLookup', 'TextVectorization'];

/** The sample of a golden case; null where Keras draws or keeps something over several calls. */
function sampleOf(c: GoldenCase): LayerSample | null {
  const { class_name: className, config, calls = 1 } = c['config'];
  if (calls > 1 || c['call_arguments']) return null;
  const serialized = fromKeras(className, config);
  if (!serialized) return null;
  const names = Object.keys(c['inputs']);
  if (names.some((name) => /^s(tate)?\d+$/.test(name))) return null;
  const all = Object.values<GoldenTensor>(c['inputs']).map(toTensor);
  return {
    make: () => deserializeLayer(serialized),
    inputs: all.length === 1 ? all[0]! : all,
    weights: (c['weights'] as GoldenWeight[]).map(toTensor),
    // A mask of steps does not broadcast to what it normalizes.
    ...(className === 'Softmax' ? { mask: all[0]!.greater(-0.5) } : {}),
  };
}

const golden = new Map<string, LayerSample>();
for (const { cases } of readArea(join(__dirname, '../../golden'), 'layers'))
  for (const c of cases) {
    const name = c['config'].class_name as string;
    if (golden.has(name)) continue;
    const sample = sampleOf(c);
    if (sample) golden.set(name, sample);
  }

const tensorLayers = [...layerClasses().keys()].filter((name) => name !== 'InputLayer' && !TEXTS.includes(name));

test.each(tensorLayers)('%s keeps the contract', async (name) => {
  const sample = OWN[name] ?? golden.get(name);
  if (!sample) throw new Error(`expected a golden case or an entry in OWN for ${name}, found none`);
  await checkLayer(sample);
});

test('InputLayer is data', () => {
  const layer = new InputLayer({ shape: [null, 3], name: 'x' });
  const copy = deserializeLayer(JSON.parse(JSON.stringify(serializeLayer(layer))));
  expect(copy.getConfig()).toEqual(layer.getConfig());
});

describe('faults are found', () => {
  /** y = x * scale. */
  class Scale extends Layer {
    scale!: Variable;
    override build(shape: PartialShape): void {
      this.scale = this.variable({ name: 'scale', shape: [shape.at(-1)!], initializer: initializers.ones() });
    }
    call(v: Tensor): Tensor {
      return v.mul(this.scale.value);
    }
  }
  const fails = async (make: () => AnyLayer, message: RegExp): Promise<void> => {
    await expect(checkLayer({ make, inputs: x })).rejects.toThrow(message);
  };

  test('none in a layer that keeps it', async () => {
    await checkLayer({ make: () => new Scale(), inputs: x });
  });

  test('a shape that is not what comes out', async () => {
    class Wrong extends Scale {
      override computeOutputShape(): PartialShape {
        return [null, 5, 3];
      }
    }
    await fails(() => new Wrong(), /output shape: expected shape \[3, 5, 4\] of output 0/);
  });

  test('an argument that the configuration lacks', async () => {
    class Power extends Scale {
      private readonly power: number;
      constructor(options: { power?: number } = {}) {
        const { power = 1, ...rest } = options;
        super(rest);
        this.power = power;
      }
      override call(v: Tensor): Tensor {
        return super.call(v).mul(this.power);
      }
    }
    await fails(() => new Power({ power: 2 }), /configuration: expected .* of the layer that its configuration makes/);
  });

  test('a gradient that is not the derivative', async () => {
    class Stopped extends Scale {
      override call(v: Tensor): Tensor {
        return super.call(v).add(stopGradient(v.square()));
      }
    }
    await fails(() => new Stopped(), /gradient: /);
  });

  test('a mask that does not fit its output', async () => {
    class Pooled extends Scale {
      protected override readonly supportsMasking = true;
      override call(v: Tensor): Tensor {
        return super.call(v).mean(1);
      }
    }
    await fails(() => new Pooled(), /mask: expected a mask \(bool\) of the leading axes of output 0 \[3, 4\]/);
  });

  test('samples that see each other', async () => {
    class Mixed extends Scale {
      protected override get independentSamples(): boolean {
        return true;
      }
      override call(v: Tensor): Tensor {
        return super.call(v).sub(v.mean(0, { keepDims: true }));
      }
    }
    await fails(() => new Mixed(), /samples: expected output 0 of samples one by one as of all together/);
  });

  test('weights that are not trained', async () => {
    class Still extends Scale {
      override call(v: Tensor): Tensor {
        return v.mul(stopGradient(this.scale.value));
      }
    }
    await fails(() => new Still(), /training: model_\d+: expected a loss that depends on the weights/);
  });
});
