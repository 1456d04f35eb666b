import { checkValue, rules } from '@recurra/tensor/extend';
import { type FormatKind, formats } from './formats.js';
import { type OtherKind, otherKindOf } from './other-kinds.js';

/**
 * What a file is: 'keras' (the zip of Keras 3), 'hdf5' (`.h5`, `.weights.h5`), 'safetensors', 'onnx', 'tfjs' (the `model.json` of TensorFlow.js), 'checkpoint'
 * (Recurra's own). Those that no reader here takes are told apart, too, so that errors can name them: 'pytorch' (a pickle of `torch.save`), 'zip', 'json'.
 */
export type FileFormat = FormatKind | OtherKind;

/**
 * The format of a file, by its bytes and not by its name; `null` for one of none that is known. It looks at marks and outlines alone: the file may still be damaged.
 */
export function sniffFormat(bytes: Uint8Array): FileFormat | null {
  checkValue('sniffFormat', 'the file', bytes, rules.instanceOf(Uint8Array, 'a Uint8Array'));
  return formats().find((format) => format.matches(bytes))?.kind ?? otherKindOf(bytes)?.kind ?? null;
}
