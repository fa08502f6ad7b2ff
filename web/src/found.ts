// Files as they come in: folders walked, zips unpacked, the class of each by its folder, a few worked on at a time, and what is left of them packed.
import { downloadZip } from "client-zip";
import { Unzip, UnzipInflate } from "fflate";

/** A file with its path in what was dropped. */
export type Found = [path: string, file: Blob];
/** Told how many files of how many are read; gives false to stop. */
export type Tell = (done: number, all: number) => boolean;
/** A set as one file for the source of this name, and what is to be said of it. `decoded` where pictures have been decoded. */
export interface Packed { blob: Blob; name: string; source: "images" | "sounds"; decoded: boolean; colour: boolean; notes: string[] }

const MOST_FILES = 100_000;
/** Most bytes that zips may hold once they are unpacked. */
export const MOST_UNPACKED = 512 << 20;
const AT_ONCE = 4;
/** Bytes of a zip that are read at a time, and those that are unpacked at a time: a thousand times as many may come out. */
const [SLICE, PUSHED] = [1 << 20, 2048];
/** Milliseconds between two reports. */
const TELL_EVERY = 50;

/** Folders whose files are held out. */
export const HELD_OUT = /^(test|val|valid|validation)$/i;
export const isHeldOut = (path: string) => path.split("/").slice(0, -1).some((part) => HELD_OUT.test(part));

export const quoted = (names: string[]) => {
  const shown = names.slice(0, 3).map((name) => `"${name.slice(0, 60)}"`).join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
};
export const base = (path: string) => path.slice(path.lastIndexOf("/") + 1);
export const isHidden = (path: string) => path.split("/").some((part) => part.startsWith(".") || part === "__MACOSX");

/** All files below what was dropped. */
export async function walk(entries: FileSystemEntry[]): Promise<Found[]> {
  const found: Found[] = [];
  for (const waiting = [...entries]; waiting.length; ) {
    const entry = waiting.shift()!;
    if (found.length > MOST_FILES) throw new Error(`These are more than ${MOST_FILES} files. Take a part of them.`);
    if (entry.isFile) {
      const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
      found.push([entry.fullPath.slice(1), file]);
    } else {
      const reader = (entry as FileSystemDirectoryEntry).createReader();
      // A browser gives so many of a folder at a time, and none at its end.
      for (;;) {
        const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
        if (!some.length) break;
        waiting.push(...some);
      }
    }
  }
  return found;
}

/** The files in a zip that are wanted by their names. What it unpacks to is counted as it comes, whatever it says of itself. */
export async function unzip(name: string, file: Blob, wanted: (path: string) => boolean, room: { left: number }): Promise<Found[]> {
  const found: Found[] = [];
  let trouble: Error | undefined;
  const damaged = () => new Error(`The file "${name}" is damaged, cut short, or no zip. Fetch or pack it again.`);
  // The directory of a zip is at its end, with a comment of up to 64 kB behind it.
  const end = new Uint8Array(await file.slice(-65_557).arrayBuffer());
  if (!end.some((byte, i) => byte === 0x50 && end[i + 1] === 0x4b && end[i + 2] === 5 && end[i + 3] === 6)) throw damaged();
  const unpacker = new Unzip((entry) => {
    if (isHidden(entry.name) || !wanted(entry.name)) return;
    const parts: Uint8Array<ArrayBuffer>[] = [];
    entry.ondata = (error, bytes, last) => {
      if (trouble) return;
      if (error) trouble = damaged();
      else if ((room.left -= bytes.length) < 0) trouble = new Error(`The file "${name}" holds more than ${MOST_UNPACKED >> 20} MB once it is unpacked. Pack fewer or smaller files.`);
      else if (found.length >= MOST_FILES) trouble = new Error(`The file "${name}" holds more than ${MOST_FILES} files. Pack a part of them.`);
      else parts.push(bytes as Uint8Array<ArrayBuffer>);
      if (!trouble && last) found.push([entry.name, new Blob(parts)]);
    };
    entry.start();
  });
  unpacker.register(UnzipInflate);
  let rested = performance.now();
  for (let at = 0; ; at += SLICE) {
    const bytes = new Uint8Array(await file.slice(at, at + SLICE).arrayBuffer());
    for (let from = 0; from < bytes.length && !trouble; from += PUSHED) {
      try {
        unpacker.push(bytes.subarray(from, from + PUSHED), at + from + PUSHED >= file.size);
      } catch {
        trouble ??= damaged();
      }
      if (performance.now() - rested < TELL_EVERY) continue;
      // So that the page is drawn meanwhile.
      await new Promise((resolve) => setTimeout(resolve));
      rested = performance.now();
    }
    if (trouble) throw trouble;
    if (at + SLICE >= file.size) return found;
  }
}

/** The class of each file: its folder, or, where there are no folders, its name up to the number in it (`cat.12.jpg`). */
export function classes(paths: string[], otherwise: string): string[] {
  const folders = paths.map((path) => path.split("/").slice(0, -1).filter((part) => !HELD_OUT.test(part)).at(-1) ?? "");
  if (new Set(folders).size > 1) return folders.map((folder) => folder || "other");
  const words = paths.map((path) => base(path).replace(/\.\w+$/, "").replace(/[\s._()-]*\d+[\s._()-]*$/, ""));
  const different = new Set(words).size;
  return different > 1 && !words.includes("") && different <= paths.length / 2 ? words : folders.map((folder) => folder || otherwise);
}

/** Files as a zip in which they lie as they are. */
export const zipped = (files: Found[]) => downloadZip(files.map(([name, input]) => ({ name, input, lastModified: new Date(0) }))).blob();

/** Works on all files, a few at a time, and tells how far it is. */
export async function eachOf(files: Found[], tell: Tell, work: (file: Blob, i: number) => Promise<void>): Promise<void> {
  let [next, done, told] = [0, 0, 0];
  const worker = async () => {
    while (next < files.length) {
      const i = next++;
      await work(files[i]![1], i);
      done++;
      if (performance.now() - told < TELL_EVERY) continue;
      told = performance.now();
      if (!tell(done, files.length)) throw new Error("");
      // So that the page is drawn meanwhile.
      await new Promise((resolve) => setTimeout(resolve));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
