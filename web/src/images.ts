// A person's own pictures, loaded when the first ones come in: out of folders and zips, decoded and made small by the browser, packed as the arrays
// that the source `images` reads. Files that hold arrays already are packed as they are.
import { downloadZip } from "client-zip";
import { Unzip, UnzipInflate } from "fflate";

/** A file with its path in what was dropped. */
type Found = [path: string, file: Blob];
/** Told how many pictures of how many are read; gives false to stop. */
type Tell = (done: number, all: number) => boolean;
/** A set as one file, and what is to be said of it. `decoded` where it is made of pictures. */
interface Packed { blob: Blob; name: string; decoded: boolean; colour: boolean; notes: string[] }
/** The middle of a picture: `side` × `side` pixels of red, green and blue. */
interface Square { side: number; pixels: Uint8ClampedArray }

const MOST_FILES = 100_000;
/** Most bytes that zips may hold once they are unpacked. */
const MOST_BYTES = 512 << 20;
/** Most bytes of one picture. */
const LARGEST = 128 << 20;
/** Pictures are kept in this size, and many of them in the smaller one. */
const [FINE, COARSE, MANY] = [128, 64, 2000];
/** Files of more bytes are made smaller while they are decoded. */
const HEAVY = 1 << 20;
const AT_ONCE = 4;
/** Bytes of a zip that are read at a time, and those that are unpacked at a time: a thousand times as many may come out. */
const [SLICE, PUSHED] = [1 << 20, 2048];
/** Milliseconds between two reports. */
const TELL_EVERY = 50;

const PICTURE = /\.(jpe?g|png|gif|webp|bmp|avif|heic|heif|tiff?|ico)$/i;
const ARRAY = /(\.npy|\.npz|\.idx|ubyte)(\.gz)?$/i;
const HELD_OUT = /^(test|val|valid|validation)$/i;

const quoted = (names: string[]) => {
  const shown = names.slice(0, 3).map((name) => `"${name.slice(0, 60)}"`).join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
};
const isPicture = ([path, file]: Found) => file.type.startsWith("image/") || PICTURE.test(path);
const base = (path: string) => path.slice(path.lastIndexOf("/") + 1);
const isHidden = (path: string) => path.split("/").some((part) => part.startsWith(".") || part === "__MACOSX");

/** All files below what was dropped. */
async function walk(entries: FileSystemEntry[]): Promise<Found[]> {
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

/** The pictures and arrays in a zip. What it unpacks to is counted as it comes, whatever it says of itself. */
async function unzip(name: string, file: Blob, room: { left: number }): Promise<Found[]> {
  const found: Found[] = [];
  let trouble: Error | undefined;
  const damaged = () => new Error(`The file "${name}" is damaged, cut short, or no zip. Fetch or pack it again.`);
  // The directory of a zip is at its end, with a comment of up to 64 kB behind it.
  const end = new Uint8Array(await file.slice(-65_557).arrayBuffer());
  if (!end.some((byte, i) => byte === 0x50 && end[i + 1] === 0x4b && end[i + 2] === 5 && end[i + 3] === 6)) throw damaged();
  const unpacker = new Unzip((entry) => {
    if (isHidden(entry.name) || !(PICTURE.test(entry.name) || ARRAY.test(entry.name))) return;
    const parts: Uint8Array<ArrayBuffer>[] = [];
    entry.ondata = (error, bytes, last) => {
      if (trouble) return;
      if (error) trouble = damaged();
      else if ((room.left -= bytes.length) < 0) trouble = new Error(`The file "${name}" holds more than ${MOST_BYTES >> 20} MB once it is unpacked. Pack fewer or smaller pictures.`);
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

/** The middle of a picture as the browser decodes it: turned as the camera was held, on white where it is transparent. */
async function decode(file: Blob, most: number): Promise<Square> {
  // A photograph of 50 megapixels needs a few hundred megabytes only while it is decoded.
  const options: ImageBitmapOptions = { imageOrientation: "from-image" };
  if (file.size > HEAVY) Object.assign(options, { resizeHeight: 4 * most, resizeQuality: "high" });
  const bitmap = await createImageBitmap(file, options);
  try {
    const whole = Math.min(bitmap.width, bitmap.height);
    const side = Math.min(whole, most);
    const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true })!;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, side, side);
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, (bitmap.width - whole) / 2, (bitmap.height - whole) / 2, whole, whole, 0, 0, side, side);
    return { side, pixels: rgb(context.getImageData(0, 0, side, side).data) };
  } finally {
    bitmap.close();
  }
}

/** Pixels without their opacity. */
function rgb(rgba: Uint8ClampedArray): Uint8ClampedArray {
  const pixels = new Uint8ClampedArray((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    pixels[to++] = rgba[from]!;
    pixels[to++] = rgba[from + 1]!;
    pixels[to++] = rgba[from + 2]!;
  }
  return pixels;
}

/** A square in another size. */
function resized({ side, pixels }: Square, wanted: number): Uint8ClampedArray {
  if (side === wanted) return pixels;
  const rgba = new ImageData(side, side);
  for (let from = 0, to = 0; from < pixels.length; ) {
    rgba.data[to++] = pixels[from++]!;
    rgba.data[to++] = pixels[from++]!;
    rgba.data[to++] = pixels[from++]!;
    rgba.data[to++] = 255;
  }
  const small = new OffscreenCanvas(side, side);
  small.getContext("2d")!.putImageData(rgba, 0, 0);
  const context = new OffscreenCanvas(wanted, wanted).getContext("2d", { willReadFrequently: true })!;
  context.drawImage(small, 0, 0, wanted, wanted);
  return rgb(context.getImageData(0, 0, wanted, wanted).data);
}

/** The class of each picture: its folder, or, where there are no folders, its name up to the number in it (`cat.12.jpg`). */
function classes(paths: string[]): string[] {
  const folders = paths.map((path) => path.split("/").slice(0, -1).filter((part) => !HELD_OUT.test(part)).at(-1) ?? "");
  if (new Set(folders).size > 1) return folders.map((folder) => folder || "other");
  const words = paths.map((path) => base(path).replace(/\.\w+$/, "").replace(/[\s._()-]*\d+[\s._()-]*$/, ""));
  const different = new Set(words).size;
  return different > 1 && !words.includes("") && different <= paths.length / 2 ? words : folders.map((folder) => folder || "pictures");
}

/** An array as NumPy writes it. */
function npy(kind: string, shape: number[], values: Uint8Array): Blob {
  const header = `{'descr': '${kind}', 'fortran_order': False, 'shape': (${shape.map((n) => `${n}, `).join("")}), }`;
  const padded = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
  const magic = new Uint8Array([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length & 255, padded.length >> 8]);
  return new Blob([magic, padded, values as Uint8Array<ArrayBuffer>]);
}

/** Files as a zip in which they lie as they are. */
const zipped = (files: Found[]) => downloadZip(files.map(([name, input]) => ({ name, input, lastModified: new Date(0) }))).blob();

/** Decodes pictures, a few at a time. */
async function decoded(pictures: Found[], tell: Tell): Promise<[Square | undefined, number][]> {
  const most = pictures.length > MANY ? COARSE : FINE;
  const squares: [Square | undefined, number][] = [];
  let [next, done, told] = [0, 0, 0];
  const work = async () => {
    while (next < pictures.length) {
      const i = next++;
      const [, file] = pictures[i]!;
      squares[i] = [file.size > LARGEST ? undefined : await decode(file, most).catch(() => undefined), i];
      done++;
      if (performance.now() - told < TELL_EVERY) continue;
      told = performance.now();
      if (!tell(done, pictures.length)) throw new Error("");
      // So that the page is drawn meanwhile.
      await new Promise((resolve) => setTimeout(resolve));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return squares;
}

/** Pictures as a set of arrays. */
async function packed(pictures: Found[], name: string, tell: Tell, notes: string[]): Promise<Packed> {
  const all = classes(pictures.map(([path]) => path));
  const squares = await decoded(pictures, tell);
  const unread = squares.filter(([square]) => !square).map(([, i]) => base(pictures[i]![0]));
  const good = squares.filter((found): found is [Square, number] => !!found[0]);
  if (!good.length) throw new Error(`No picture could be read: ${quoted(unread)}. JPEG, PNG, WebP, GIF and BMP can be; save them as one of these.`);
  if (unread.length) notes.push(`${unread.length} of ${pictures.length} files are no pictures that this browser can read, and are left out: ${quoted(unread)}.`);
  const names = [...new Set(good.map(([, i]) => all[i]!))].sort();
  if (names.length < 2) throw new Error(`All pictures are of the class "${names[0]}", so there is nothing to tell apart. Put each class into a folder of its own, and drop the folders together.`);
  const side = good.reduce((most, [square]) => Math.max(most, square.side), 1);
  let colour = false;
  const part = (held: boolean): Found[] => {
    const some = good.filter(([, i]) => pictures[i]![0].split("/").some((part) => HELD_OUT.test(part)) === held);
    if (!some.length) return [];
    const pixels = new Uint8Array(some.length * side * side * 3);
    some.forEach(([square], i) => pixels.set(resized(square, side), i * side * side * 3));
    for (let i = 0; i < pixels.length && !colour; i += 3) colour = pixels[i] !== pixels[i + 1] || pixels[i] !== pixels[i + 2];
    const labels = new Int32Array(some.map(([, i]) => names.indexOf(all[i]!)));
    const suffix = held ? "_test" : "";
    return [
      [`x${suffix}.npy`, npy("|u1", [some.length, side, side, 3], pixels)],
      [`y${suffix}.npy`, npy("<i4", [some.length], new Uint8Array(labels.buffer))],
    ];
  };
  const blob = await zipped([...part(false), ...part(true), ["classes.txt", new Blob([names.map((n) => n.replace(/\s+/g, " ") + "\n").join("")])]]);
  return { blob, name: `${name}.npz`, decoded: true, colour, notes };
}

/**
 * Makes one file of a set out of files and folders. What is wrong is thrown as a sentence; an empty one says that it was stopped.
 */
export async function gather(files: File[], entries: FileSystemEntry[], tell: Tell): Promise<Packed> {
  const chosen: Found[] = files.map((file) => [file.webkitRelativePath || file.name, file]);
  const dropped = entries.length ? await walk(entries) : chosen;
  const [notes, room, found]: [string[], { left: number }, Found[]] = [[], { left: MOST_BYTES }, []];
  for (const [path, file] of dropped) {
    if (isHidden(path)) continue;
    if (/\.zip$/i.test(path)) found.push(...(await unzip(base(path), file, room)));
    else found.push([path, file]);
  }
  const whole = dropped.length === 1 ? base(dropped[0]![0]) : (dropped[0]?.[0].split("/").at(-2) ?? "");
  const name = whole.replace(/\.\w+$/, "") || "pictures";
  const pictures = found.filter(isPicture);
  const others = found.filter((one) => !isPicture(one));
  if (!pictures.length) {
    if (!others.length) throw new Error(`There is no picture in ${whole ? `"${whole}"` : "these files"}. Choose images, folders or a zip of them, or arrays of them.`);
    const only = others[0]!;
    // What it holds says its reader.
    if (others.length === 1 && /\.npz$/i.test(only[0])) return { blob: only[1], name: base(only[0]), decoded: false, colour: false, notes };
    return { blob: await zipped(others), name: `${name}.zip`, decoded: false, colour: false, notes };
  }
  if (others.length) notes.push(`${others.length} other files are left out: ${quoted(others.map(([path]) => base(path)))}.`);
  return packed(pictures, name, tell, notes);
}
