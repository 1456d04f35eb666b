/** The platforms that have prebuilt binaries, as napi-rs names them. */
export const PLATFORMS = [
  'linux-x64-gnu',
  'linux-x64-musl',
  'linux-arm64-gnu',
  'darwin-arm64',
  'darwin-x64',
  'win32-x64-msvc',
] as const;

/**
 * The binaries that may fit a platform, in the order in which they are tried: on Linux that for glibc first, then that for musl. Installers take
 * one of them alone.
 */
export function candidates(platform: string, arch: string): string[] {
  return PLATFORMS.filter((name) => name === `${platform}-${arch}` || name.startsWith(`${platform}-${arch}-`));
}
