/** The public surface of every Recurra package under one import. Where two packages use a name, the choice stands here. */
export * from '@recurra/autograd';
// Gradients stop through whole trees; the tensor package has the function for one tensor.
export { stopGradient } from '@recurra/autograd';
export * from '@recurra/cells';
export * from '@recurra/compiler';
export * from '@recurra/layers';
// Variables of layers, which have a path and may be trainable; those of @recurra/compiler are their base.
// The Keras losses (mean over the last axis, label smoothing); the element-wise ones are in @recurra/tensor.
// The layer; the type of an activation function is `Activation` of @recurra/tensor.
// What prepares data as layers, which wrap what @recurra/preprocessing has under these names.
export {
  Activation,
  binaryCrossentropy,
  CategoryEncoding,
  categoricalCrossentropy,
  Discretization,
  type DiscretizationOptions,
  Hashing,
  type HashingOptions,
  IntegerLookup,
  Normalization,
  type NormalizationOptions,
  StringLookup,
  sparseCategoricalCrossentropy,
  TextVectorization,
  type TextVectorizationOptions,
  Variable,
} from '@recurra/layers';
export * from '@recurra/optim';
export * from '@recurra/preprocessing';
export * from '@recurra/tensor';
// Tensors of zeros and ones; the initializers of these names are `initializers.zeros` and `initializers.ones`. Indices as rows of zeros and a
// one; the hashing of words that Keras calls `one_hot` is `hashingTrick`.
export { oneHot, ones, zeros } from '@recurra/tensor';
