import { FormatError } from '@recurra/tensor';
import type { ModelFile } from '../../model-file.js';
import type { Constant } from '../graph.js';
import type { ModelProto } from '../proto.js';
export function raise(
  _model: ModelProto,
  _constants: ReadonlyMap<string, Constant>,
): Pick<ModelFile, 'model' | 'weights'> {
  throw new FormatError('ONNX: not yet');
}
