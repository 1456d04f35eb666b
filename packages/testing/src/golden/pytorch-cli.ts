/** Writes the state dicts of our models with PyTorch's weights to a folder, for `pytorch.py --check` to load into PyTorch's modules. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadPytorchWeights, pytorchStateDict, writeSafetensors } from '@recurra/formats';
import { builtFor, PYTORCH_CASES } from './pytorch.js';

const [to, ...rest] = process.argv.slice(2);
if (to === undefined || rest.length > 0) {
  console.error('usage: node packages/testing/dist/golden/pytorch-cli.js FOLDER');
  process.exitCode = 2;
} else {
  mkdirSync(to, { recursive: true });
  for (const name of PYTORCH_CASES) {
    const { model, modules, state } = builtFor(
      fileURLToPath(new URL('../../golden/files/pytorch', import.meta.url)),
      name,
    );
    loadPytorchWeights(model, state, modules);
    const file = writeSafetensors(pytorchStateDict(model, modules), { metadata: { format: 'pt' } });
    writeFileSync(join(to, `${name}.safetensors`), file);
  }
}
