import { isZip, jsonObjectOf, namesOfZip, startsWith } from './looks.js';

/** Files that no format reads. */
export type OtherKind = 'checkpoint' | 'pytorch' | 'zip' | 'json';

/** Those that may be met where a model is expected: how they look, what they are, and the way out. */
interface Other {
  readonly kind: OtherKind;
  readonly title: string;
  readonly instead: string;
  matches(bytes: Uint8Array): boolean;
}

const CHECKPOINT = new TextEncoder().encode('recurra checkpoint ');

/** Asked in this order, after all formats. */
const OTHERS: readonly Other[] = [
  {
    kind: 'checkpoint',
    title: "a checkpoint of Recurra's own",
    instead: 'Use loadCheckpoint or modelFromCheckpoint.',
    matches: (bytes) => startsWith(bytes, CHECKPOINT),
  },
  {
    kind: 'pytorch',
    title: 'a pickle of torch.save',
    instead: 'It may hold code, and is not read. Save the state dict by safetensors.torch.save_file.',
    // Of protocol 2 to 5 where it is no zip: so it was before.
    matches: (bytes) =>
      isZip(bytes)
        ? [...namesOfZip(bytes)].some((name) => /(^|\/)data\.pkl$/.test(name))
        : bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5,
  },
  {
    kind: 'zip',
    title: 'a zip archive without the members config.json and model.weights.h5 of Keras 3',
    instead: 'The file may be cut off.',
    matches: isZip,
  },
  {
    kind: 'json',
    title: 'other JSON',
    instead: 'The configuration of a model alone has no weights.',
    matches: (bytes) => jsonObjectOf(bytes) !== null,
  },
];

/** What a file is that no format reads; `null` for what is not known either. */
export const otherKindOf = (bytes: Uint8Array): Other | null => OTHERS.find((other) => other.matches(bytes)) ?? null;
