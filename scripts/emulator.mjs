/**
 * A whole PC with AVX-512, emulated by Bochs: Debian's kernel boots from a CD with nothing but busybox, some programs and their libraries, runs commands and switches itself
 * off. (qemu has no AVX-512.) Bochs 2.7 calls gathers and scatters illegal whose index is one of the registers 16 to 31 (EVEX.V' = 0), which processors take; then the
 * kernel's messages, which are shown, have the bytes of the instruction. It takes Debian's packages bochs, isolinux, syslinux-common, xorriso, cpio and busybox-static.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The clock of the PC, in instructions a second: about what Bochs does, so that its seconds are about ours. */
const CLOCK = 50_000_000;
/** What the PC says before the first command, and after the last one. */
const BEGIN = '#begin';
const END = '#end';

const COMMAND_LINE = [
  // Programs that die of a signal are in the kernel's messages.
  'console=ttyS0,115200 quiet panic=-1 print-fatal-signals=1',
  // What is checked are our kernels, not Linux; each of these takes a part of what it does before the first program.
  'nokaslr mitigations=off random.trust_cpu=on cryptomgr.notests',
  // Bochs' processor says 3.5 GHz, and counts instructions.
  `tsc=reliable tsc_early_khz=${CLOCK / 1000}`,
  // Bochs 2.7 gives a wrong length of the compacted form of its state; Linux would take all of AVX away.
  'clearcpuid=xsavec,xsaves',
].join(' ');

function run(command, args, options) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (error || status !== 0) throw new Error(`${command}: ${error?.message ?? `exit code ${status}\n${stderr}`}`);
  return stdout;
}

/** The libraries that a program is loaded with; none where it is static. */
const libraries = (program) =>
  [...(spawnSync('ldd', [program], { encoding: 'utf8' }).stdout ?? '').matchAll(/(\/\S+) \(0x/g)].map(
    (match) => match[1],
  );

/** Writes a CD that boots: `files` are absolute paths by where they come from; `script` is run by busybox' shell. */
function writeDisc(folder, kernel, files, script) {
  const [system, disc] = [join(folder, 'system'), join(folder, 'disc')];
  for (const name of ['bin', 'dev', 'proc', 'sys', 'tmp']) mkdirSync(join(system, name), { recursive: true });
  mkdirSync(disc);
  const put = (from, to) => {
    mkdirSync(dirname(join(system, to)), { recursive: true });
    copyFileSync(from, join(system, to));
  };
  put('/bin/busybox', '/bin/busybox');
  for (const [to, from] of Object.entries(files)) put(from, to);
  const init = [
    '#!/bin/busybox sh',
    'export PATH=/bin',
    '/bin/busybox --install -s /bin',
    'mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev',
    `echo '${BEGIN}'`,
    script,
    // Where a program died, and by what.
    "dmesg | grep -A 4 'fatal signal'",
    `echo '${END}'`,
    // What was written last is still on its way through the serial line.
    'sleep 1',
    'poweroff -f',
  ];
  writeFileSync(join(system, 'init'), `${init.join('\n')}\n`);
  chmodSync(join(system, 'init'), 0o755);
  const names = run('find', ['.'], { cwd: system });
  const archive = openSync(join(disc, 'system'), 'w');
  run('cpio', ['--quiet', '-o', '-H', 'newc', '-R', '0:0'], {
    cwd: system,
    input: names,
    stdio: ['pipe', archive, 'pipe'],
  });
  closeSync(archive);
  copyFileSync(kernel, join(disc, 'kernel'));
  copyFileSync('/usr/lib/ISOLINUX/isolinux.bin', join(disc, 'isolinux.bin'));
  copyFileSync('/usr/lib/syslinux/modules/bios/ldlinux.c32', join(disc, 'ldlinux.c32'));
  writeFileSync(
    join(disc, 'isolinux.cfg'),
    `default linux\nprompt 0\nlabel linux\nkernel /kernel\nappend initrd=/system ${COMMAND_LINE}\n`,
  );
  const boot = ['-b', 'isolinux.bin', '-c', 'boot.cat', '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table'];
  run('xorriso', ['-as', 'mkisofs', '-quiet', '-o', join(folder, 'disc.iso'), ...boot, disc]);
}

/** What Bochs is told. Its screen is one that someone might look at; the terminal would stand still as soon as its buffer is full. */
const settings = (folder, memory) => `
config_interface: textconfig
display_library: rfb, options="timeout=0"
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
memory: guest=${memory}, host=${memory}
cpu: model=corei7_skylake_x, count=1, ips=${CLOCK}
clock: sync=none
boot: cdrom
ata0: enabled=1
ata0-master: type=cdrom, path=${join(folder, 'disc.iso')}, status=inserted
com1: enabled=1, mode=file, dev=${join(folder, 'serial')}
log: ${join(folder, 'log')}
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
`;

/** Hands on what a file has got since byte `from`; returns where it ends now. */
function follow(file, from, take) {
  if (!existsSync(file)) return from;
  const bytes = Buffer.alloc(statSync(file).size - from);
  const handle = openSync(file, 'r');
  const count = readSync(handle, bytes, 0, bytes.length, from);
  closeSync(handle);
  if (count > 0) take(bytes.subarray(0, count).toString('latin1').replaceAll('\r', ''));
  return from + count;
}

/**
 * Runs a script of busybox' shell on such a PC.
 *
 * @param kernel Debian's `vmlinuz-*-cloud-amd64`, which has all that it needs built in.
 * @param programs What is to lie in the root folder, by its own name; the libraries come along.
 * @param script What is run.
 * @param memory In MiB.
 * @param minutes After which it is broken off.
 * @param show Takes what the PC prints, as it does.
 * @returns What the script printed, and whether it came to its end.
 */
export async function emulate({ kernel, programs, script, memory = 512, minutes, show }) {
  const folder = mkdtempSync(join(tmpdir(), 'recurra-emulator-'));
  try {
    const files = {};
    for (const program of programs) {
      files[`/${basename(program)}`] = program;
      for (const library of libraries(program)) files[library] = library;
    }
    writeDisc(folder, kernel, files, script);
    writeFileSync(join(folder, 'settings'), settings(folder, memory));
    // Debian's has a debugger, which waits to be told.
    writeFileSync(join(folder, 'debugger'), 'continue\n');
    const bochs = spawn('bochs', ['-q', '-rc', join(folder, 'debugger'), '-f', join(folder, 'settings')], {
      env: { ...process.env, TERM: 'xterm' },
      stdio: 'ignore',
    });
    let failure;
    let ended = false;
    bochs.on('error', (error) => {
      failure = error.message;
      ended = true;
    });
    bochs.on('exit', () => {
      ended = true;
    });
    const deadline = Date.now() + minutes * 60_000;
    let [text, at] = ['', 0];
    const take = (more) => {
      text += more;
      show(more);
    };
    for (let last = false; !last; ) {
      last = ended;
      at = follow(join(folder, 'serial'), at, take);
      if (!ended && Date.now() > deadline) {
        failure = `not done after ${minutes} minutes`;
        // On any other signal it would ask its debugger.
        bochs.kill('SIGKILL');
      }
      if (!ended) await sleep(200);
    }
    const begin = text.indexOf(`${BEGIN}\n`);
    const end = text.indexOf(`${END}\n`);
    if (begin < 0) failure ??= 'the system did not start';
    else if (end < 0) failure ??= 'the script did not come to its end';
    if (failure) show(`FAILED: Bochs: ${failure}\n`);
    return { text: begin < 0 ? '' : text.slice(begin + BEGIN.length + 1, end < 0 ? undefined : end), ok: !failure };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
