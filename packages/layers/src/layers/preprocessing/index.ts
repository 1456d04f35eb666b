export { CategoryEncoding, type CategoryEncodingArguments, type CategoryEncodingOptions } from './category-encoding.js';
export { Discretization, type DiscretizationOptions } from './discretization.js';
export { Hashing, type HashingOptions } from './hashing.js';
export { IntegerLookup, type IntegerLookupOptions } from './integer-lookup.js';
export { Normalization, type NormalizationOptions } from './normalization.js';
export { Rescaling, type RescalingOptions } from './rescaling.js';
export { StringLookup, type StringLookupOptions } from './string-lookup.js';
export type { Texts } from './text-layer.js';
export { TextVectorization, type TextVectorizationOptions } from './text-vectorization.js';
