/** The platforms that have prebuilt binaries, as napi-rs names them. */
export const PLATFORMS = [
  'linux-x64-gnu',
  'linux-x64-musl',
  'linux-arm64-gnu',
  'darwin-arm64',
  'darwin-x64',
  'win32-x64-msvc',
] as const;

/** What distinguishes platforms. */
export interface Host {
  readonly platform: string;
  readonly arch: string;
  /** The version of glibc; absent with musl. */
  readonly glibc?: string | undefined;
}

/** The machine that this process runs on. */
export function host(): Host {
  const { platform, arch, report } = process;
  // A report names glibc where there is one; it costs some milliseconds, and only Linux has the question.
  let glibc: string | undefined;
  if (platform === 'linux') {
    const { header } = report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
    glibc = header.glibcVersionRuntime;
  }
  return { platform, arch, glibc };
}

/** The name of the platform's binary: `linux-x64-gnu`. */
export function platformOf({ platform, arch, glibc }: Host): string {
  if (platform === 'linux') return `linux-${arch}-${glibc ? 'gnu' : 'musl'}`;
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}
