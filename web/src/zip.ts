// Zip files, loaded when the first one is asked for.
import { downloadZip } from "client-zip";

/** A zip of files, given as their names and bytes. */
export function zip(files: [string, Uint8Array][]): Promise<Blob> {
  const lastModified = new Date();
  return downloadZip(files.map(([name, input]) => ({ name, input, lastModified }))).blob();
}
