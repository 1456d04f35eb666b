/**
 * Compiles assembly/ to two WebAssembly modules (SIMD, and SIMD with relaxed fused multiply-add) and writes them, with the
 * tables of numbers from assembly/opcodes.ts, as one TypeScript module: src/generated/module.ts. It is not committed.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import asc from 'assemblyscript/asc';

const root = new URL('../', import.meta.url);
const OPTIONS = [
  ...['--runtime', 'stub', '--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
  ...['--memoryBase', '1024', '--exportTable', '--noAssert', '--uncheckedBehavior', 'always', '-O3'],
];

async function compile(features) {
  let binary;
  const { error, stderr } = await asc.main(
    [
      'assembly/index.ts',
      '--outFile',
      'module.wasm',
      ...OPTIONS,
      '--enable',
      ['threads', 'simd', 'bulk-memory', ...features].join(','),
    ],
    {
      readFile: (name, base) => {
        try {
          return readFileSync(new URL(name, base === '.' ? root : new URL(`${base}/`, root)), 'utf8');
        } catch {
          return null;
        }
      },
      writeFile: (name, data) => {
        if (name === 'module.wasm') binary = data;
      },
      listFiles: () => [],
    },
  );
  if (error) throw new Error(`asc: ${error.message}\n${stderr}`);
  if (!WebAssembly.validate(binary) && features.length === 0)
    throw new Error('asc made a module that does not validate');
  return binary;
}

/** LEB128 */
function varint(value) {
  const bytes = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return bytes;
}

/**
 * `to` as a list of [literal bytes, what to copy from `from`]: both builds are alike but for their multiply-adds, and the second
 * takes a tenth of its size so. Each entry: length of the literal, literal, length of the copy, distance of its place from where the
 * last copy ended (zigzag). The reader is `patched` of src/kernels.ts.
 */
function difference(from, to) {
  const KEY = 5;
  const key = (bytes, i) => bytes.slice(i, i + KEY).join();
  const places = new Map();
  for (let i = 0; i + KEY <= from.length; i++) {
    const k = key(from, i);
    const list = places.get(k);
    if (list) list.push(i);
    else places.set(k, [i]);
  }
  const out = [];
  let expected = 0;
  let literal = 0;
  for (let i = 0; i < to.length; ) {
    let best = 0;
    let at = 0;
    for (const place of places.get(key(to, i)) ?? []) {
      let n = 0;
      while (i + n < to.length && place + n < from.length && from[place + n] === to[i + n]) n++;
      // A near place takes fewer bytes to name.
      const worth = n - varint(Math.abs(place - expected) * 2).length;
      if (worth > best) {
        best = worth;
        at = place;
      }
    }
    if (best < 3) {
      i++;
      continue;
    }
    let n = 0;
    while (i + n < to.length && at + n < from.length && from[at + n] === to[i + n]) n++;
    const distance = at - expected;
    out.push(...varint(i - literal), ...to.slice(literal, i), ...varint(n));
    out.push(...varint(distance < 0 ? -distance * 2 - 1 : distance * 2));
    i += n;
    literal = i;
    expected = at + n;
  }
  out.push(...varint(to.length - literal), ...to.slice(literal), ...varint(0), ...varint(0));
  return Uint8Array.from(out);
}

/** F32_LESS_EQUAL -> lessEqual */
const camel = (name) => name.toLowerCase().replace(/_(\w)/g, (_, c) => c.toUpperCase());

function tables() {
  const source = readFileSync(new URL('assembly/opcodes.ts', root), 'utf8');
  const groups = { COMMAND: {}, F32: {}, I32: {}, CAST: {}, SELECT: {} };
  for (const [, name, value] of source.matchAll(/export const (\w+): i32 = (\d+);/g)) {
    const group = name.split('_')[0];
    groups[group][camel(name.slice(group.length + 1) || name)] = Number(value);
  }
  return groups;
}

const plain = await compile([]);
const relaxed = await compile(['relaxed-simd']);
const patch = difference(plain, relaxed);
const { COMMAND, F32, I32, CAST, SELECT } = tables();
const table = (name, comment, entries) =>
  `/** ${comment} */\nexport const ${name}: Readonly<Record<${Object.keys(entries)
    .map((k) => `'${k}'`)
    .join(' | ')}, number>> = ${JSON.stringify(entries)};\n`;

/**
 * Bytes as text: the most frequent ones are a character each, the others two. Compressed on its way to a page it takes a quarter less
 * than base64, whose groups of three bytes hide what repeats. The reader is `decode` of src/kernels.ts.
 */
const characters = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).filter(
  (c) => !'\'"`\\$'.includes(c),
);
const singles = characters.length - 2;
const frequency = new Array(256).fill(0);
for (const byte of plain) frequency[byte]++;
const order = frequency.map((_, byte) => byte).sort((a, b) => frequency[b] - frequency[a] || a - b);
const codes = [];
order.forEach((byte, i) => {
  const rest = i - singles;
  codes[byte] =
    rest < 0
      ? characters[i]
      : characters[singles + Math.floor(rest / characters.length)] + characters[rest % characters.length];
});
const text = (bytes) => Array.from(bytes, (byte) => codes[byte]).join('');

mkdirSync(new URL('src/generated/', root), { recursive: true });
writeFileSync(
  new URL('src/generated/module.ts', root),
  `// Generated by scripts/build-wasm.mjs from assembly/: do not edit.
${table('Command', 'Numbers of commands.', COMMAND)}
${table('F32', 'Element-wise operations on float32.', F32)}
${table('I32', 'Element-wise operations on int32 and booleans.', I32)}
${table('Cast', 'Conversions.', CAST)}
/** The choice between two values. */
export const SELECT: number = ${SELECT.select};

/** The characters that stand for bytes, ... */
export const CHARACTERS: string = '${characters.join('')}';
/** ... and the bytes, in hexadecimal, by frequency: the first have a character each, the others two. */
export const ORDER: string = '${Buffer.from(order).toString('hex')}';

/** SIMD. */
export const PLAIN: string =
  '${text(plain)}';

/** SIMD with relaxed fused multiply-add, as a difference from PLAIN. */
export const RELAXED: string =
  '${text(patch)}';
`,
);
console.log(`kernels: ${plain.length} bytes plain, ${relaxed.length} bytes relaxed (${patch.length} as a difference)`);
